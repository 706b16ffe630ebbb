//! The supervisor: one task, one mailbox, all state of one instance.

mod order;
mod service;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use portway_api::{
    Displaced, Event, InstanceStatus, LogStream, Notice, NoticeLevel, PortStatus, ServiceState,
    ServiceStatus,
};
use portway_ports::Hold;
use portway_project::manifest::{Owner, SocketMode};
use portway_project::{AssignedPorts, Plan, Wiring, wiring};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{sleep, sleep_until};

use crate::keeper::{Exit, KeeperEvent, Start};
use crate::logs::LogStore;
use crate::state::{Effect, Ended, Input, Say};
use crate::steward::Steward;
use crate::watch::{self as ownership, Finding};
use crate::{control, platform};
use order::Dependencies;
use service::{ExecProbe, LogSink, Reporter, Role, Service};

/// How often a service that is ready is looked at, in case a stranger took its port while it bound
/// anew.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Somebody who listens and cannot be seen for so many looks is a stranger.
const UNCLEAR_LOOKS: u32 = 40;
/// A service that listens elsewhere is told so after this time.
const LISTENS_ELSEWHERE: Duration = Duration::from_secs(3);
/// How many events a slow listener may lag behind before it misses some.
const EVENTS: usize = 4096;

/// Everything a supervisor needs to run one instance.
pub struct Config {
    /// The instance's id on this machine.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its directory, in words.
    pub directory: String,
    /// Its branch.
    pub branch: Option<String>,
    /// What there is to run.
    pub plan: Plan,
    /// The ports of all its services.
    pub ports: AssignedPorts,
    /// What they are told.
    pub wiring: Wiring,
    /// The ports that are not the ones that were wanted, and why.
    pub displaced: HashMap<u16, Displaced>,
    /// The holds of all ports, hard.
    pub holds: Vec<Arc<Hold>>,
    /// The services to start, in order.
    pub run: Vec<String>,
    /// Where logs are kept.
    pub logs: PathBuf,
    /// Where others find the supervisor.
    pub socket: PathBuf,
    /// Whether the instance ends with its terminal.
    pub foreground: bool,
    /// Whether services should print in colour.
    pub colour: bool,
    /// Who replaces lost ports.
    pub steward: Box<dyn Steward>,
}

/// What others may ask of a supervisor. An empty list of services means all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Start services, with those they come after.
    Start(Vec<String>),
    /// Start services anew.
    Restart(Vec<String>),
    /// Stop services; all of them: end the instance.
    Stop(Vec<String>),
    /// End the instance at once, without grace.
    Kill,
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody asked for it.
    Stopped,
    /// A signal asked for it.
    Signal(i32),
    /// These services failed before everything was ready once, with the reasons.
    Failed(Vec<(String, String)>),
}

/// What a supervisor finds in its mailbox.
pub(crate) enum Message {
    Request(Request),
    Report {
        service: String,
        generation: u64,
        report: Report,
    },
    Timer {
        service: String,
        epoch: u64,
    },
    Signal(i32),
}

/// What happened to a service's process.
pub(crate) enum Report {
    Keeper(KeeperEvent),
    OrphansGone,
    LogMatched,
    ProbeSucceeded,
    Alive(bool),
}

/// A way to speak with a supervisor from within its process.
#[derive(Clone)]
pub struct Handle {
    mailbox: mpsc::UnboundedSender<Message>,
    status: watch::Receiver<InstanceStatus>,
    events: broadcast::Sender<Event>,
    known: Arc<Vec<String>>,
}

impl Handle {
    /// Asks for something. Whether it came about shows in the status.
    pub fn ask(&self, request: Request) {
        let _ = self.mailbox.send(Message::Request(request));
    }

    /// The status now.
    pub fn status(&self) -> InstanceStatus {
        self.status.borrow().clone()
    }

    /// All events from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Whether the instance has a service of this name.
    pub fn knows(&self, service: &str) -> bool {
        self.known.iter().any(|known| known == service)
    }
}

/// The supervisor of one instance.
pub struct Supervisor {
    config: Config,
    services: IndexMap<String, Service>,
    holds: HashMap<u16, Arc<Hold>>,
    sink: LogSink,
    mailbox: mpsc::UnboundedSender<Message>,
    messages: mpsc::UnboundedReceiver<Message>,
    status: watch::Sender<InstanceStatus>,
    began: u64,
    /// Not everything that was asked for has been ready once.
    initial: bool,
    ending: Option<Outcome>,
    /// No grace any more.
    by_force: bool,
    random: u64,
}

impl Supervisor {
    /// Prepares an instance to run; nothing starts before [`Supervisor::run`].
    ///
    /// # Errors
    /// When the logs or the control socket cannot be made.
    pub fn new(mut config: Config) -> io::Result<(Self, Handle)> {
        platform::become_reaper()?;
        let store = Arc::new(Mutex::new(LogStore::open(&config.logs)?));
        let (mailbox, messages) = mpsc::unbounded_channel();
        let (events, _) = broadcast::channel(EVENTS);
        let now = Instant::now();
        let services: IndexMap<String, Service> = config
            .plan
            .services
            .values()
            .map(|plan| (plan.name.clone(), Service::new(plan.clone(), now)))
            .collect();
        let holds = config
            .holds
            .drain(..)
            .map(|hold| (hold.port(), hold))
            .collect();
        let began = crate::now();
        let known = Arc::new(services.keys().cloned().collect());
        let (status, status_receiver) = watch::channel(InstanceStatus {
            id: config.id.clone(),
            name: config.name.clone(),
            project: config.plan.project.clone(),
            directory: config.directory.clone(),
            branch: config.branch.clone(),
            state: portway_api::InstanceState::Starting,
            pid: Some(std::process::id()),
            since: Some(began),
            services: Vec::new(),
        });
        let handle = Handle {
            mailbox: mailbox.clone(),
            status: status_receiver,
            events: events.clone(),
            known,
        };
        let supervisor = Self {
            services,
            holds,
            sink: LogSink { store, events },
            mailbox,
            messages,
            status,
            began,
            initial: true,
            ending: None,
            by_force: false,
            random: began | 1,
            config,
        };
        Ok((supervisor, handle))
    }

    /// Runs the instance to its end: until it is asked to stop, or a service fails before all were
    /// ready once. When it returns, nothing that it started is left.
    ///
    /// # Errors
    /// When the control socket cannot be made; nothing has been started then.
    pub async fn run(mut self, handle: Handle, on_serving: impl FnOnce()) -> io::Result<Outcome> {
        let control = control::serve(&self.config.socket, handle)?;
        on_serving();
        self.listen_for_signals()?;
        for name in self.config.run.clone() {
            self.step(&name, Input::Start);
        }
        let mut look = tokio::time::Instant::now();
        let outcome = loop {
            self.advance();
            self.publish();
            if let Some(outcome) = self.finished() {
                break outcome;
            }
            // A service that was just started is looked at sooner than was planned.
            look = look.min(tokio::time::Instant::now() + self.until_next_look());
            tokio::select! {
                Some(message) = self.messages.recv() => self.receive(message),
                () = sleep_until(look) => {
                    self.look();
                    look = tokio::time::Instant::now() + self.until_next_look();
                }
            }
        };
        control.close();
        Ok(outcome)
    }

    fn listen_for_signals(&self) -> io::Result<()> {
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            let mut stream = signal(kind)?;
            let mailbox = self.mailbox.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    let _ = mailbox.send(Message::Signal(kind.as_raw_value()));
                }
            });
        }
        if self.config.foreground {
            let mailbox = self.mailbox.clone();
            tokio::spawn(async move {
                platform::terminal_closed().await;
                let hangup = SignalKind::hangup().as_raw_value();
                let _ = mailbox.send(Message::Signal(hangup));
            });
        }
        Ok(())
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Request(request) => self.take_request(request),
            Message::Timer { service, epoch } => self.step(&service, Input::Timer(epoch)),
            // The first asks, the second kills; no signal is ever ignored.
            Message::Signal(number) => match self.ending {
                None => self.end(Outcome::Signal(number)),
                Some(_) => self.kill(),
            },
            Message::Report {
                service,
                generation,
                report,
            } => {
                let current = self.services.get(&service).map(|s| s.generation);
                if current == Some(generation) {
                    self.take_report(&service, report);
                }
            }
        }
    }

    fn take_request(&mut self, request: Request) {
        match request {
            Request::Stop(names) if names.is_empty() => self.end(Outcome::Stopped),
            Request::Kill => {
                self.end(Outcome::Stopped);
                self.kill();
            }
            _ if self.ending.is_some() => {}
            Request::Stop(names) => {
                for name in names {
                    self.step(&name, Input::Stop);
                }
            }
            Request::Restart(names) => {
                let names = if names.is_empty() {
                    self.config.run.clone()
                } else {
                    names
                };
                for name in names {
                    self.step(&name, Input::Restart);
                }
            }
            Request::Start(names) => {
                for name in self.config.plan.closure(&names).unwrap_or_default() {
                    if !self.config.run.contains(&name) {
                        self.config.run.push(name.clone());
                    }
                    self.step(&name, Input::Start);
                }
            }
        }
    }

    fn take_report(&mut self, name: &str, report: Report) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        match report {
            Report::LogMatched => {
                service.log_matched = true;
                self.probe_log(name);
            }
            Report::ProbeSucceeded => self.step(name, Input::ProbeSucceeded),
            Report::Alive(alive) => self.step(name, Input::Alive(alive)),
            Report::OrphansGone => self.tree_gone(name),
            Report::Keeper(event) => {
                let role = service.keeper.as_ref().map(|(_, role)| *role);
                match (event, role) {
                    (_, None) => {}
                    (KeeperEvent::Started(pid), Some(Role::Main)) => {
                        self.step(name, Input::Spawned(pid));
                    }
                    (KeeperEvent::Started(_), Some(Role::Prepare)) => {}
                    (KeeperEvent::Failed(why), Some(Role::Main)) => {
                        self.step(name, Input::SpawnFailed(why));
                    }
                    (KeeperEvent::Failed(why), Some(Role::Prepare)) => {
                        self.step(name, Input::PrepareFailed(why));
                    }
                    (KeeperEvent::Ended(ended), Some(Role::Main)) => {
                        self.step(name, Input::LeaderEnded(ended));
                    }
                    (KeeperEvent::Ended(ended), Some(Role::Prepare)) => {
                        service.prepared = Some(ended);
                        // What a prepare step leaves in the background is not wanted.
                        if let Some((keeper, _)) = &service.keeper {
                            keeper.stop();
                        }
                    }
                    (KeeperEvent::Exit(Exit::Clean), _) => self.tree_gone(name),
                    (KeeperEvent::Exit(Exit::Lost), _) => self.end_orphans(name),
                }
            }
        }
    }

    /// A keeper vanished, so its tree has fallen to this process. It is ended before anything else
    /// happens to the service.
    fn end_orphans(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let grace = if self.by_force {
            Duration::ZERO
        } else {
            service.stop().grace.0
        };
        let reporter = self.reporter(name);
        let known: Vec<u32> = self
            .services
            .values()
            .filter_map(|service| service.keeper.as_ref())
            .map(|(keeper, _)| keeper.pid())
            .collect();
        self.say(
            name,
            NoticeLevel::Warning,
            "lost its keeper; its processes are ended",
        );
        self.step(name, Input::LeaderEnded(Ended::Signal(9)));
        tokio::spawn(async move {
            crate::end_all_but(&known, grace).await;
            reporter.send(Report::OrphansGone);
        });
    }

    /// Nothing is left of a service's processes.
    fn tree_gone(&mut self, name: &str) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        service.stop_watching();
        service.sockets.clear();
        let Some((_, role)) = service.keeper.take() else {
            return;
        };
        let preparing = service.machine.state() == ServiceState::Preparing;
        let input = match (role, preparing) {
            (Role::Prepare, true) => match service.prepared.take() {
                Some(Ended::Code(0)) => {
                    self.remember_prepared(name);
                    self.say(name, NoticeLevel::Info, "is prepared");
                    Input::Prepared
                }
                ended => {
                    let ended = ended.unwrap_or(Ended::Signal(9));
                    Input::PrepareFailed(format!("its prepare step {}", ended.words()))
                }
            },
            _ => Input::TreeGone {
                in_use: speaks_of_an_address_in_use(&self.sink.lock().tail(name)),
            },
        };
        self.step(name, input);
    }

    /// Lets everything happen that the states allow now.
    fn advance(&mut self) {
        loop {
            let states = self.states();
            let mut inputs = Vec::new();
            if self.ending.is_some() {
                let active: Vec<&str> = self
                    .services
                    .values()
                    .filter(|service| !service.machine.is_at_rest())
                    .map(|service| service.plan.name.as_str())
                    .collect();
                let after = |name: &str| -> Vec<String> {
                    let after = &self.services[name].plan.after;
                    after.iter().map(|(other, _)| other.clone()).collect()
                };
                for name in order::may_stop(&active, after) {
                    if self.services[name].machine.state() != ServiceState::Stopping {
                        inputs.push((name.to_owned(), Input::Stop));
                    }
                }
            } else {
                for service in self.services.values().filter(|s| s.machine.is_waiting()) {
                    let input = match order::dependencies(&service.plan.after, &states) {
                        Dependencies::Met => Input::DependenciesMet,
                        Dependencies::Failed(why) => Input::DependencyFailed(why),
                        Dependencies::Pending => continue,
                    };
                    inputs.push((service.plan.name.clone(), input));
                }
            }
            if inputs.is_empty() {
                break;
            }
            for (name, input) in inputs {
                self.step(&name, input);
            }
        }
        if self.initial && self.ending.is_none() {
            self.judge_the_start();
        }
    }

    /// The start as a whole succeeds when everything is ready, and fails with the first service.
    fn judge_the_start(&mut self) {
        let wanted: Vec<&Service> = self
            .config
            .run
            .iter()
            .filter_map(|name| self.services.get(name))
            .collect();
        let failed: Vec<(String, String)> = wanted
            .iter()
            .filter(|service| service.machine.state() == ServiceState::Failed)
            .map(|service| {
                let why = service.machine.message().unwrap_or("failed").to_owned();
                (service.plan.name.clone(), why)
            })
            .collect();
        let settled = wanted.iter().all(|service| {
            matches!(
                service.machine.state(),
                ServiceState::Ready | ServiceState::Completed | ServiceState::Stopped
            )
        });
        if !failed.is_empty() {
            self.end(Outcome::Failed(failed));
            self.advance();
        } else if settled {
            self.initial = false;
        }
    }

    fn end(&mut self, outcome: Outcome) {
        self.ending.get_or_insert(outcome);
    }

    fn kill(&mut self) {
        self.by_force = true;
        for (keeper, _) in self.services.values().filter_map(|s| s.keeper.as_ref()) {
            keeper.kill();
        }
        let names: Vec<String> = self.services.keys().cloned().collect();
        for name in names {
            self.step(&name, Input::Stop);
        }
    }

    fn finished(&self) -> Option<Outcome> {
        let at_rest = self
            .services
            .values()
            .all(|service| service.machine.is_at_rest() && service.keeper.is_none());
        self.ending.clone().filter(|_| at_rest)
    }

    fn states(&self) -> IndexMap<String, ServiceState> {
        self.services
            .iter()
            .map(|(name, service)| (name.clone(), service.machine.state()))
            .collect()
    }

    // === one service ===

    fn step(&mut self, name: &str, input: Input) {
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

    fn carry_out(&mut self, name: &str, effect: Effect) {
        match effect {
            Effect::Prepare => self.prepare(name),
            Effect::Spawn { release } => self.spawn(name, release),
            Effect::Probe => self.start_probe(name),
            Effect::WatchLiveness => self.start_liveness(name),
            Effect::Settle(families) => {
                for hold in self.holds_of(name) {
                    hold.settle(families);
                }
            }
            Effect::Harden => {
                for hold in self.holds_of(name) {
                    hold.harden();
                    // A port that was let go is taken back; if it cannot be, the next start says so.
                    let _ = hold.retake();
                }
            }
            Effect::StopTree => self.stop_tree(name),
            Effect::Move { port, by } => self.move_port(name, port, &by),
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

    fn prepare(&mut self, name: &str) {
        let launch = self.config.wiring.services[name].clone();
        let Some(command) = launch.prepare.clone() else {
            return self.step(name, Input::Prepared);
        };
        match self.config.steward.is_prepared(name, &command, &launch.dir) {
            Ok(true) => return self.step(name, Input::Prepared),
            Err(why) => return self.step(name, Input::PrepareFailed(why)),
            Ok(false) => {}
        }
        self.say(name, NoticeLevel::Info, &format!("prepares: {command}"));
        if let Err(why) = self.start_keeper(name, command, Role::Prepare, None) {
            self.step(name, Input::PrepareFailed(why));
        }
    }

    fn remember_prepared(&mut self, name: &str) {
        let launch = &self.config.wiring.services[name];
        if let Some(command) = &launch.prepare {
            let steward = &mut self.config.steward;
            steward.remember_prepared(name, command, &launch.dir);
        }
    }

    fn spawn(&mut self, name: &str, release: bool) {
        for hold in self.holds_of(name) {
            if release {
                hold.release();
            } else if hold.retake().is_err() {
                let by = self.who_has(hold.port());
                let port = hold.port();
                return self.step(name, Input::Stolen { port, by });
            } else {
                hold.soften();
            }
        }
        let service = &self.services[name];
        let mut socket = None;
        if service.plan.spec.socket == SocketMode::Fd
            && let Some(hold) = self.holds_of(name).first()
        {
            match hold.listening_socket() {
                Ok(listening) => socket = Some(listening),
                Err(error) => {
                    return self.step(name, Input::SpawnFailed(format!("no socket: {error}")));
                }
            }
        }
        let command = self.config.wiring.services[name].command.clone();
        if let Err(why) = self.start_keeper(name, command, Role::Main, socket) {
            self.step(name, Input::SpawnFailed(why));
            self.step(name, Input::TreeGone { in_use: false });
        }
    }

    fn start_keeper(
        &mut self,
        name: &str,
        command: String,
        role: Role,
        socket: Option<std::net::TcpListener>,
    ) -> Result<(), String> {
        let launch = &self.config.wiring.services[name];
        if !launch.dir.is_dir() {
            return Err(format!(
                "its directory `{}` does not exist",
                launch.dir.display()
            ));
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
        service.log_matched = false;
        self.sink.lock().clear_tail(name);
        let stop = service.stop();
        let start = Start {
            command,
            dir: launch.dir.clone(),
            env: service::environment(launch, self.config.colour),
            signal: stop.signal,
            grace: stop.grace.0,
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
        .map_err(|error| format!("could not be started: {error}"))?;
        service.keeper = Some((keeper, role));
        Ok(())
    }

    fn stop_tree(&mut self, name: &str) {
        let by_force = self.by_force;
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        match &service.keeper {
            Some((keeper, _)) if by_force => keeper.kill(),
            Some((keeper, _)) => keeper.stop(),
            None => self.step(name, Input::TreeGone { in_use: false }),
        }
    }

    fn start_probe(&mut self, name: &str) {
        let ports = self.config.ports.of(name).to_vec();
        let reporter = self.reporter(name);
        let launch = &self.config.wiring.services[name];
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let Some(ready) = service.plan.spec.ready.clone() else {
            return;
        };
        if ready.log.is_some() {
            return self.probe_log(name);
        }
        let task = if let Some(command) = &launch.ready_exec {
            let probe = ExecProbe::new(command, launch);
            tokio::spawn(service::until_exec(probe, reporter))
        } else if let Some(question) =
            service.question(ready.http.as_ref(), ready.port.as_deref(), &ports)
        {
            tokio::spawn(service::until_ready(question, reporter))
        } else {
            return;
        };
        service.watch(task);
    }

    /// A readiness pattern counts once the port listens too, whichever comes first.
    fn probe_log(&mut self, name: &str) {
        let service = &self.services[name];
        if service.log_matched && !service.machine.awaits_listening() {
            self.step(name, Input::ProbeSucceeded);
        }
    }

    fn start_liveness(&mut self, name: &str) {
        let ports = self.config.ports.of(name).to_vec();
        let reporter = self.reporter(name);
        let launch = &self.config.wiring.services[name];
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let Some(liveness) = service.plan.spec.liveness.clone() else {
            return;
        };
        let port = liveness.port.as_deref();
        let question = service.question(liveness.http.as_ref(), port, &ports);
        let exec = launch
            .live_exec
            .as_ref()
            .map(|command| ExecProbe::new(command, launch));
        let task = tokio::spawn(service::watch_liveness(liveness, question, exec, reporter));
        service.watch(task);
    }

    // === ports ===

    fn holds_of(&self, name: &str) -> Vec<Arc<Hold>> {
        let ports = self.config.ports.of(name);
        ports
            .iter()
            .filter_map(|port| self.holds.get(port).cloned())
            .collect()
    }

    fn who_has(&self, port: u16) -> String {
        let holders = portway_ports::holders(port).unwrap_or_default();
        holders
            .iter()
            .find_map(|holder| holder.process.as_ref())
            .map_or_else(|| "somebody".into(), ownership::describe)
    }

    /// How long until the next look at the ports.
    fn until_next_look(&self) -> Duration {
        let waiting = self
            .services
            .values()
            .filter(|service| service.machine.awaits_listening())
            .map(|service| service.started.elapsed())
            .min();
        match waiting {
            None => LOOK_AGAIN,
            Some(waited) if waited < Duration::from_secs(1) => Duration::from_millis(4),
            Some(waited) if waited < Duration::from_secs(10) => Duration::from_millis(20),
            Some(_) => Duration::from_millis(100),
        }
    }

    /// Looks who listens on the ports of the services that run.
    fn look(&mut self) {
        let concerned: Vec<String> = self
            .services
            .values()
            .filter(|s| s.machine.awaits_listening() || s.machine.has_listened())
            .map(|service| service.plan.name.clone())
            .collect();
        if concerned.is_empty() {
            return;
        }
        let listening = ownership::look();
        for name in concerned {
            let ports = self.config.ports.of(&name).to_vec();
            let Some(service) = self.services.get_mut(&name) else {
                continue;
            };
            let Some((keeper, Role::Main)) = &service.keeper else {
                continue;
            };
            let anyone = service.plan.owner == Owner::Any;
            let awaited = service.machine.awaits_listening();
            let keeper = keeper.pid();
            match ownership::judge(&listening, &ports, keeper, anyone, &service.sockets) {
                Finding::Own(families, sockets) => {
                    service.unclear = 0;
                    if service.sockets != sockets {
                        service.sockets = sockets;
                        self.step(&name, Input::Listening(families));
                    }
                }
                Finding::Foreign { port, by } => self.step(&name, Input::Stolen { port, by }),
                Finding::Unclear { port } => {
                    service.unclear += 1;
                    if service.unclear > UNCLEAR_LOOKS {
                        let by = "a process of another user".to_owned();
                        self.step(&name, Input::Stolen { port, by });
                    }
                }
                Finding::Quiet if awaited => self.look_elsewhere(&name, &listening, keeper),
                Finding::Quiet => {}
            }
        }
    }

    /// Tells, once, when a service listens on another port than its own.
    fn look_elsewhere(&mut self, name: &str, listening: &ownership::Listening, keeper: u32) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        if service.said_elsewhere || service.started.elapsed() < LISTENS_ELSEWHERE {
            return;
        }
        service.said_elsewhere = true;
        let own = self.config.ports.of(name);
        let tree: Vec<u32> = portway_ports::descendants(keeper)
            .iter()
            .map(|process| process.pid)
            .collect();
        let elsewhere = listening.iter().find(|(port, listeners)| {
            !own.contains(port)
                && listeners.iter().any(|listener| {
                    portway_ports::owner_among(tree.iter().copied(), listener.socket).is_some()
                })
        });
        if let (Some((port, _)), Some(expected)) = (elsewhere, own.first()) {
            let text = format!(
                "listens on port {port} and not on its own port {expected}; \
                 does its command use `{{port}}`?"
            );
            self.say(name, NoticeLevel::Warning, &text);
        }
    }

    fn move_port(&mut self, name: &str, lost: u16, by: &str) {
        let moved = match self.config.steward.replace_port(name, lost) {
            Ok(moved) => moved,
            Err(why) => {
                let why = format!("lost port {lost} to {by}, and there is no other: {why}");
                return self.step(name, Input::MoveFailed(why));
            }
        };
        let port = moved.hold.port();
        self.holds.remove(&lost);
        self.holds.insert(port, moved.hold);
        let displaced = Displaced {
            wanted: lost,
            forced: false,
            holder: by.to_owned(),
        };
        self.config.displaced.remove(&lost);
        self.config.displaced.insert(port, displaced);
        self.config.ports = moved.ports;
        let old = std::mem::replace(&mut self.config.wiring, moved.wiring);
        let told: Vec<String> = self
            .services
            .values()
            .filter(|service| service.plan.name != name && service.machine.is_active())
            .map(|service| service.plan.name.clone())
            .filter(|other| old.services.get(other) != self.config.wiring.services.get(other))
            .collect();
        let text = format!("moves to port {port}: {by} took port {lost} before it could bind");
        self.say(name, NoticeLevel::Warning, &text);
        for other in told {
            let text = format!("is restarted, for it was told the old port of `{name}`");
            self.say(&other, NoticeLevel::Warning, &text);
            self.step(&other, Input::Restart);
        }
        self.step(name, Input::Moved);
    }

    // === telling ===

    fn reporter(&self, name: &str) -> Reporter {
        Reporter {
            service: name.to_owned(),
            generation: self.services.get(name).map_or(0, |s| s.generation),
            mailbox: self.mailbox.clone(),
        }
    }

    fn announce(&mut self, name: &str, say: Say) {
        let (level, text) = match say {
            Say::Ready(took) => {
                let url = self
                    .url(name)
                    .map(|url| format!(" at {url}"))
                    .unwrap_or_default();
                let text = format!("is ready{url} after {:.1} s", took.as_secs_f64());
                (NoticeLevel::Info, text)
            }
            Say::Again { why, after } => {
                let text = format!("{why}; it is started again in {:.1} s", after.as_secs_f64());
                (NoticeLevel::Warning, text)
            }
            Say::WithoutHold => (
                NoticeLevel::Warning,
                "could not bind beside the hold of its port (it does not set SO_REUSEADDR); \
                 the hold is let go and it is started once more"
                    .to_owned(),
            ),
            Say::Failed(why) => (NoticeLevel::Error, why),
            Say::Completed => (NoticeLevel::Info, "is done".to_owned()),
        };
        self.say(name, level, &text);
    }

    /// Tells everyone who listens, and writes it into the service's log.
    fn say(&self, name: &str, level: NoticeLevel, text: &str) {
        let notice = Notice {
            level,
            service: Some(name.to_owned()),
            text: text.to_owned(),
        };
        let record = self
            .sink
            .lock()
            .append(name, LogStream::Portway, text.to_owned());
        let _ = self.sink.events.send(Event::Log(record));
        let _ = self.sink.events.send(Event::Notice(notice));
    }

    fn url(&self, name: &str) -> Option<String> {
        let port = *self.config.ports.of(name).first()?;
        let kind = self.services.get(name)?.plan.kind;
        Some(wiring::url(kind, port))
    }

    /// Makes the status from the present state, and tells it when it has changed.
    fn publish(&mut self) {
        let status = self.make_status();
        let changed = self.status.send_if_modified(|current| {
            let changed = *current != status;
            *current = status.clone();
            changed
        });
        if changed {
            let _ = self.sink.events.send(Event::Status(status));
        }
        let failure = self.sink.lock().take_failure();
        if let Some(error) = failure {
            let notice = Notice {
                level: NoticeLevel::Warning,
                service: None,
                text: format!("logs cannot be written: {error}"),
            };
            let _ = self.sink.events.send(Event::Notice(notice));
        }
    }

    fn make_status(&self) -> InstanceStatus {
        let services: Vec<ServiceStatus> = self
            .services
            .values()
            .map(|service| self.service_status(service))
            .collect();
        let states = services.iter().map(|service| service.state);
        InstanceStatus {
            id: self.config.id.clone(),
            name: self.config.name.clone(),
            project: self.config.plan.project.clone(),
            directory: self.config.directory.clone(),
            branch: self.config.branch.clone(),
            state: order::instance_state(states, self.initial, self.ending.is_some()),
            pid: Some(std::process::id()),
            since: Some(self.began),
            services,
        }
    }

    fn service_status(&self, service: &Service) -> ServiceStatus {
        let name = &service.plan.name;
        let ports = self.config.ports.of(name);
        ServiceStatus {
            name: name.clone(),
            state: service.machine.state(),
            url: self.url(name),
            ports: service
                .plan
                .ports
                .iter()
                .zip(ports)
                .map(|(planned, &port)| PortStatus {
                    name: planned.name.clone(),
                    port,
                    url: wiring::url(service.plan.kind, port),
                    displaced: self.config.displaced.get(&port).cloned(),
                })
                .collect(),
            pid: service.machine.pid(),
            since: Some(service.since),
            restarts: service.machine.restarts(),
            message: service.machine.message().map(str::to_owned),
        }
    }

    /// A number from 0 to 1 that spreads the restarts of services which failed together
    /// (xorshift; nothing depends on its quality).
    fn jitter(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Whether the last words of a server that ended were about its address; a server that says
/// nothing may have meant that too.
fn speaks_of_an_address_in_use(tail: &[String]) -> bool {
    let signs = ["in use", "eaddrinuse", "errno 98", "bind"];
    tail.is_empty()
        || tail.iter().any(|line| {
            let line = line.to_lowercase();
            signs.iter().any(|sign| line.contains(sign))
        })
}
