//! Carrying out what a service's state machine answers.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

use portway_api::{FailureReason, NoticeLevel};
use portway_project::PrepareStep;
use portway_project::plan::ReadinessProbe;
use portway_project::policy::SocketMode;
use tokio::time::sleep;

use super::Supervisor;
use super::handle::Message;
use super::service::{self, ExecProbe, Role};
use crate::keeper::Start;
use crate::mark::Mark;
use crate::state::{Effect, Input};

impl Supervisor {
    pub(super) fn step(&mut self, name: &str, input: Input) {
        let jitter = self.jitter();
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let before = service.machine.state();
        let effects = service.machine.step(input, Instant::now(), jitter);
        if service.machine.state() != before {
            service.since = crate::now();
        }
        for effect in effects {
            self.carry_out(name, effect);
        }
    }

    pub(super) fn carry_out(&mut self, name: &str, effect: Effect) {
        match effect {
            Effect::Prepare => self.prepare(name),
            Effect::Spawn { release } => self.spawn(name, release),
            Effect::Probe => self.start_probe(name),
            Effect::WatchLiveness => self.start_liveness(name),
            Effect::Settle(families) => {
                for hold in self.holds_of(name) {
                    if let Err(error) = hold.settle(families) {
                        self.say(name, NoticeLevel::Warning, &error.to_string());
                    }
                }
            }
            Effect::Harden => {
                if let Some(lan) = &mut self.lan {
                    lan.leave(name);
                }
                self.keep_or_let_go(name);
            }
            Effect::StopTree => self.stop_tree(name),
            Effect::Move { port, by } => self.move_port(name, port, by),
            Effect::Timer { epoch, after } => {
                let (service, mailbox) = (name.to_owned(), self.mailbox.clone());
                tokio::spawn(async move {
                    sleep(after).await;
                    let _ = mailbox.send(Message::Timer { service, epoch });
                });
            }
            Effect::Say(say) => self.announce(name, say),
        }
    }

    pub(super) fn prepare(&mut self, name: &str) {
        let launch = self.config.wiring.services[name].clone();
        let Some(step) = launch.prepare else {
            return self.step(name, Input::Prepared);
        };
        match self.config.host.is_prepared(name, &step) {
            Ok(true) => return self.step(name, Input::Prepared),
            Err(error) => {
                let error = error.to_string();
                let why = FailureReason::PrepareInputUnreadable { error };
                return self.step(name, Input::PrepareFailed(why));
            }
            Ok(false) => {}
        }
        if let Some(other) = self.preparing(&step) {
            if let Some(service) = self.services.get_mut(name) {
                service.prepares_with = Some(other);
            }
            return;
        }
        let said = format!("prepares: {}", step.command);
        self.say(name, NoticeLevel::Info, &said);
        if let Err(why) = self.start_keeper(name, step, Role::Prepare, None) {
            let why = FailureReason::PrepareFailed {
                cause: Box::new(why),
                shared_with: None,
            };
            self.step(name, Input::PrepareFailed(why));
        }
    }

    /// The service for which this prepare step runs at the moment.
    fn preparing(&self, step: &PrepareStep) -> Option<String> {
        let mut services = self.services.iter();
        let (name, _) = services.find(|(name, service)| {
            let runs = matches!(service.keeper, Some((_, Role::Prepare)));
            runs && self.config.wiring.services[*name].prepare.as_ref() == Some(step)
        })?;
        Some(name.clone())
    }

    pub(super) fn record_prepare(&mut self, name: &str) {
        if let Some(step) = &self.config.wiring.services[name].prepare {
            self.config.host.record_prepare(name, step);
        }
    }

    pub(super) fn spawn(&mut self, name: &str, release: bool) {
        for hold in self.holds_of(name) {
            if release {
                hold.release();
            } else if hold.retake().and_then(|()| hold.soften()).is_err() {
                let by = self.who_has(hold.port());
                let port = hold.port();
                return self.step(name, Input::Stolen { port, by });
            }
        }
        let service = &self.services[name];
        let mut socket = None;
        if service.plan.socket == SocketMode::Fd
            && let Some(hold) = self.holds_of(name).first()
        {
            match hold.listening_socket() {
                Ok(listening) => socket = Some(listening),
                Err(error) => {
                    let error = std::io::Error::from(error);
                    let error = format!("its listening socket is not available: {error}");
                    let why = FailureReason::StartFailed { error };
                    return self.step(name, Input::SpawnFailed(why));
                }
            }
        }
        let launch = &self.config.wiring.services[name];
        let step = PrepareStep {
            command: launch.command.clone(),
            dir: launch.dir.clone(),
        };
        if let Err(why) = self.start_keeper(name, step, Role::Main, socket) {
            self.step(name, Input::SpawnFailed(why));
            self.step(name, Input::TreeGone { in_use: false });
        }
    }

    /// The mark of everything that is started for a service.
    fn mark(&self, name: &str) -> String {
        let dir = self.config.socket.parent().unwrap_or(Path::new(""));
        Mark::value(dir, name)
    }

    pub(super) fn start_keeper(
        &mut self,
        name: &str,
        step: PrepareStep,
        role: Role,
        socket: Option<std::net::TcpListener>,
    ) -> Result<(), FailureReason> {
        let mark = self.mark(name);
        let launch = &self.config.wiring.services[name];
        if !step.dir.is_dir() {
            let directory = step.dir.display().to_string();
            return Err(FailureReason::DirectoryNotFound { directory });
        }
        let Some(service) = self.services.get_mut(name) else {
            return Ok(());
        };
        service.generation += 1;
        service.started = Instant::now();
        service.prepared = None;
        service.sockets.clear();
        service.unclear = 0;
        service.said_elsewhere = false;
        service.let_go = false;
        service.log_matched = false;
        self.sink.lock().clear_tail(name);
        let stop = service.stop();
        let start = Start {
            command: step.command,
            dir: step.dir,
            env: service::environment(launch, &mark, self.config.colour),
            signal: stop.signal,
            grace: stop.grace,
            socket,
        };
        let pattern = service.log_pattern().filter(|_| role == Role::Main);
        let keeper = service::launch(
            name,
            service.generation,
            start,
            &self.sink,
            pattern,
            &self.mailbox,
        )
        .map_err(|error| FailureReason::StartFailed {
            error: error.to_string(),
        })?;
        service.keeper = Some((keeper, role));
        Ok(())
    }

    pub(super) fn stop_tree(&mut self, name: &str) {
        let by_force = self.by_force.load(Ordering::Relaxed);
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        match &service.keeper {
            Some((keeper, _)) if by_force => keeper.kill(),
            Some((keeper, _)) => keeper.stop(),
            None => self.step(name, Input::TreeGone { in_use: false }),
        }
    }

    pub(super) fn start_probe(&mut self, name: &str) {
        let ports = self.config.ports.of(name).to_vec();
        let reporter = self.reporter(name);
        let mark = self.mark(name);
        let launch = &self.config.wiring.services[name];
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let probe = match &service.plan.readiness.probe {
            None => return,
            Some(ReadinessProbe::Log(_)) => return self.probe_log(name),
            Some(ReadinessProbe::Poll(probe)) => probe,
        };
        let task = if let Some(command) = &launch.readiness_command {
            let probe = ExecProbe::new(command, launch, mark);
            tokio::spawn(service::until_exec(probe, reporter))
        } else if let Some(question) = service::question(probe, &ports) {
            tokio::spawn(service::until_ready(question, reporter))
        } else {
            return;
        };
        service.watch(task);
    }

    /// A readiness pattern counts once the port listens too, whichever comes first.
    pub(super) fn probe_log(&mut self, name: &str) {
        let service = &self.services[name];
        if service.log_matched && !service.machine.awaits_listening() {
            self.step(name, Input::ProbeSucceeded);
        }
    }

    pub(super) fn start_liveness(&mut self, name: &str) {
        let ports = self.config.ports.of(name).to_vec();
        let reporter = self.reporter(name);
        let mark = self.mark(name);
        let launch = &self.config.wiring.services[name];
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let Some(liveness) = service.plan.liveness.clone() else {
            return;
        };
        let question = service::question(&liveness.probe, &ports);
        let exec = launch
            .liveness_command
            .as_ref()
            .map(|command| ExecProbe::new(command, launch, mark));
        let task = tokio::spawn(service::watch_liveness(liveness, question, exec, reporter));
        service.watch(task);
    }
}
