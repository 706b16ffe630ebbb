//! Carries out the effects of a service's state machine.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portway_api::{FailureReason, NoticeLevel};
use portway_project::PrepareStep;
use portway_project::policy::SocketMode;
use tokio::time::sleep;

use super::environment;
use super::handle::{Message, Report};
use super::isolation::Isolation;
use super::service::{self, Reporter, Role};
use super::{Supervisor, last_line};
use crate::containers;
use crate::keeper::{InputKind, KeeperConfig};
use crate::mark::Mark;
use crate::process;
use crate::state::{Effect, ExitContext, Input, SETTLE_DELAY, StateMachine};

/// A timer that is this late shows that the supervisor was suspended.
pub(super) const SUSPENSION: Duration = Duration::from_secs(1);
/// How long a service may still take to become ready after the supervisor was suspended.
const RECHECK_DELAY: Duration = Duration::from_secs(2);

/// How long a keeper may take to stop its processes beyond their grace period. It gives up on processes
/// that it cannot kill earlier.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

impl Supervisor {
    /// Passes an input to the state machine of a service and carries out the effects.
    pub(super) fn step(&mut self, name: &str, input: Input) {
        let jitter = self.jitter();
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let previous = service.machine.state();
        let effects = service.machine.step(input, Instant::now(), jitter);
        if service.machine.state() != previous {
            service.since = crate::now();
        }
        for effect in effects {
            self.apply(name, effect);
        }
    }

    fn apply(&mut self, name: &str, effect: Effect) {
        match effect {
            Effect::Prepare => self.prepare(name),
            Effect::Start { release_port } => self.start(name, release_port),
            Effect::StartReadinessProbe => self.start_readiness_probe(name),
            Effect::StartLivenessProbe => self.start_liveness_probe(name),
            // The hold stays hard: Portway itself listens beside it.
            Effect::SettleHold(_) if self.network_of(name).is_some() => self.open_ports(name),
            Effect::SettleHold(families) => {
                for hold in self.holds_of(name) {
                    if let Err(error) = hold.settle(families) {
                        self.notify(name, NoticeLevel::Warning, &error.to_string());
                    }
                }
            }
            Effect::RestoreHold => {
                if let Some(lan) = &mut self.lan {
                    lan.close(name);
                }
                self.close_ports(name);
                self.restore_holds(name);
            }
            Effect::StopTree => self.stop_tree(name),
            Effect::ReplacePort { port, taken_by } => self.replace_port(name, port, taken_by),
            Effect::SetTimer { epoch, after } => self.set_timer(name, epoch, after),
            Effect::Notify(transition) => self.notify_transition(name, &transition),
        }
    }

    /// Sends [`Input::Timer`] after a delay.
    fn set_timer(&self, name: &str, epoch: u64, after: Duration) {
        let (service, mailbox) = (name.to_owned(), self.mailbox.clone());
        let due = Instant::now() + after;
        tokio::spawn(async move {
            sleep(after).await;
            // Sending fails only when the supervisor has stopped.
            let _ = mailbox.send(Message::Timer {
                service,
                epoch,
                due,
            });
        });
    }

    /// Handles a timer. A supervisor that was suspended past the deadline checks the ports first,
    /// and lets the service have a last delay: it may have become ready meanwhile.
    pub(super) fn handle_timer(&mut self, name: &str, epoch: u64, due: Instant) {
        let is_starting = |supervisor: &Self| {
            let service = supervisor.services.get(name);
            service.is_some_and(|service| service.machine.is_starting())
        };
        if due.elapsed() > SUSPENSION && is_starting(self) {
            self.poll_ports();
            return self.set_timer(name, epoch, RECHECK_DELAY);
        }
        if self.is_loading(name, epoch) {
            return self.set_timer(name, epoch, SETTLE_DELAY);
        }
        let question = is_starting(self).then(|| self.sink.lock().tail(name));
        let question = question.and_then(|lines| last_line::question(&lines));
        self.step(name, Input::Timer(epoch, question));
    }

    /// Returns whether a service without ports and probes has used the processor since the last check, as while
    /// it loads its modules.
    fn is_loading(&mut self, name: &str, epoch: u64) -> bool {
        let Some(service) = self.services.get_mut(name) else {
            return false;
        };
        let Some(pid) = service.machine.pid() else {
            return false;
        };
        if !service.machine.is_settling(epoch, Instant::now()) {
            return false;
        }
        let Some(Some(usage)) = process::usage(&[pid]).into_iter().next() else {
            return false;
        };
        let before = std::mem::replace(&mut service.processor_time, usage.cpu);
        StateMachine::is_loading(usage.cpu.saturating_sub(before))
    }

    /// Runs the prepare step of a service, unless it is up to date or already runs for another
    /// service.
    pub(super) fn prepare(&mut self, name: &str) {
        let Some(step) = self.config.wiring.services[name].prepare.clone() else {
            return self.step(name, Input::Prepared);
        };
        match self.config.host.is_prepared(name, &step) {
            Ok(true) => return self.step(name, Input::Prepared),
            Err(error) => {
                let error = error.to_string();
                let reason = FailureReason::PrepareInputUnreadable { error };
                return self.step(name, Input::PrepareFailed(reason));
            }
            Ok(false) => {}
        }
        if let Some(other) = self.service_preparing(&step) {
            if let Some(service) = self.services.get_mut(name) {
                service.shares_prepare_with = Some(other);
            }
            return;
        }
        self.await_outbound(name);
        let text = format!("preparing: {}", step.command);
        self.notify(name, NoticeLevel::Info, &text);
        let started = self
            .forget_prepare(&step)
            .and_then(|()| self.start_keeper(name, step, Role::PrepareStep, None));
        if let Err(reason) = started {
            let reason = FailureReason::PrepareFailed {
                cause: Box::new(reason),
                shared_with: None,
            };
            self.step(name, Input::PrepareFailed(reason));
        }
    }

    /// Returns the service for which this prepare step is running.
    fn service_preparing(&self, step: &PrepareStep) -> Option<String> {
        let mut services = self.services.iter();
        let (name, _) = services.find(|(name, service)| {
            let is_preparing = matches!(service.keeper, Some((_, Role::PrepareStep)));
            is_preparing && self.config.wiring.services[*name].prepare.as_ref() == Some(step)
        })?;
        Some(name.clone())
    }

    /// Removes the record of a prepare step that is about to run, for every service that has it: if
    /// the step is interrupted, its outputs may be incomplete.
    fn forget_prepare(&mut self, step: &PrepareStep) -> Result<(), FailureReason> {
        let services = self.config.wiring.services.iter();
        let with_step = services.filter(|(_, launch)| launch.prepare.as_ref() == Some(step));
        let names: Vec<String> = with_step.map(|(name, _)| name.clone()).collect();
        let forgotten = self.config.host.forget_prepare(&names);
        forgotten.map_err(|error| FailureReason::StartFailed {
            error: format!("the record of its last run cannot be removed: {error}"),
        })
    }

    pub(super) fn record_prepare(&mut self, name: &str) {
        if let Some(step) = &self.config.wiring.services[name].prepare {
            self.config.host.record_prepare(name, step);
        }
    }

    fn start(&mut self, name: &str, release_port: bool) {
        let is_inside = self.network_of(name).is_some();
        if is_inside && release_port {
            self.withdraw_published(name);
        }
        for hold in self.holds_of(name) {
            // Another process may have bound the port while it was released.
            let held = hold.retake().and_then(|()| match release_port {
                // The service binds a port of its own network.
                _ if is_inside => Ok(()),
                true => {
                    hold.release();
                    Ok(())
                }
                false => hold.soften(),
            });
            if held.is_err() {
                let port = hold.port();
                let taken_by = self.port_user(port);
                return self.step(name, Input::PortLost { port, taken_by });
            }
        }
        let service = &self.services[name];
        let mut socket = None;
        if service.plan.socket == SocketMode::Fd
            && let Some(hold) = self.holds_of(name).first()
        {
            let listening = match self.network_of(name) {
                Some(isolation) => isolation.listening_socket(name),
                None => hold.listening_socket().map_err(std::io::Error::from),
            };
            match listening {
                Ok(listening) => socket = Some(listening),
                Err(error) => {
                    let error = format!("the listening socket cannot be created: {error}");
                    let reason = FailureReason::StartFailed { error };
                    return self.step(name, Input::StartFailed(reason));
                }
            }
        }
        if cfg!(windows) && service.plan.tty {
            let text = "`tty` has no effect on Windows; the service gets a pipe";
            self.notify(name, NoticeLevel::Warning, text);
        }
        let launch = &self.config.wiring.services[name];
        let step = PrepareStep {
            command: launch.command.clone(),
            dir: launch.dir.clone(),
        };
        if let Err(reason) = self.start_keeper(name, step, Role::Service, socket) {
            self.step(name, Input::StartFailed(reason));
            self.step(name, Input::TreeGone(ExitContext::default()));
        }
    }

    /// Returns the mark of all processes of a service.
    pub(super) fn mark(&self, name: &str) -> String {
        Mark::value(self.instance_dir(), name)
    }

    /// Returns the directory of the instance's locks, records and logs.
    pub(super) fn instance_dir(&self) -> &Path {
        self.config.socket.parent().unwrap_or(Path::new(""))
    }

    /// Returns a reporter for the current process of a service.
    pub(super) fn reporter(&self, name: &str) -> Reporter {
        Reporter {
            service: name.to_owned(),
            generation: self.services.get(name).map_or(0, |s| s.generation),
            mailbox: self.mailbox.clone(),
        }
    }

    fn start_keeper(
        &mut self,
        name: &str,
        step: PrepareStep,
        role: Role,
        socket: Option<std::net::TcpListener>,
    ) -> Result<(), FailureReason> {
        if !step.dir.is_dir() {
            let directory = step.dir.display().to_string();
            return Err(FailureReason::DirectoryNotFound { directory });
        }
        let namespace = self.network_of(name).map(Isolation::namespace);
        let namespace = namespace
            .transpose()
            .map_err(|error| FailureReason::StartFailed {
                error: error.to_string(),
            })?;
        let Some(service) = self.services.get_mut(name) else {
            return Ok(());
        };
        service.begin_generation();
        let stop = service.plan.stop;
        let input = match role {
            Role::PrepareStep => InputKind::Empty,
            Role::Service if service.plan.tty => InputKind::Terminal,
            Role::Service => InputKind::Pipe,
        };
        let pattern = service.log_pattern().filter(|_| role == Role::Service);
        self.sink.lock().clear_tail(name);
        containers::record_engine(self.instance_dir(), &step.command);
        let launch = &self.config.wiring.services[name];
        let mut env = environment::environment(launch, &self.mark(name), self.config.color);
        if input == InputKind::Terminal {
            environment::describe_terminal(&mut env);
        }
        if role == Role::PrepareStep
            && let Some(service) = self.services.get(name)
        {
            environment::install_for_development(&mut env, &service.plan.env);
        }
        let config = KeeperConfig {
            command: step.command,
            dir: step.dir,
            env,
            stop_signal: stop.signal,
            grace: stop.grace,
            socket,
            input,
            namespace,
        };
        let (keeper, console) =
            service::start_keeper(config, &self.sink, pattern, self.reporter(name)).map_err(
                |error| FailureReason::StartFailed {
                    error: error.to_string(),
                },
            )?;
        if let Some(service) = self.services.get_mut(name) {
            service.keeper = Some((keeper, role));
            service.console = (role == Role::Service).then_some(console);
        }
        Ok(())
    }

    fn stop_tree(&mut self, name: &str) {
        let is_killing = self.is_killing.load(Ordering::Relaxed);
        let has_keeper = self.services.get(name).is_some_and(|s| s.keeper.is_some());
        if has_keeper {
            self.stop_keeper(name, is_killing);
        } else {
            self.step(name, Input::TreeGone(ExitContext::default()));
        }
    }

    /// Requests the keeper of a service to stop or kill its processes. A keeper that has not done so in
    /// time is killed.
    pub(super) fn stop_keeper(&self, name: &str, kill: bool) {
        let Some(service) = self.services.get(name) else {
            return;
        };
        let Some((keeper, _)) = &service.keeper else {
            return;
        };
        let limit = if kill {
            keeper.kill();
            STOP_TIMEOUT
        } else {
            keeper.stop();
            service.plan.stop.grace + STOP_TIMEOUT
        };
        let reporter = self.reporter(name);
        tokio::spawn(async move {
            sleep(limit).await;
            reporter.send(Report::StopOverdue);
        });
    }
}
