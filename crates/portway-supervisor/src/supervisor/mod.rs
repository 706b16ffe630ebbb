//! The supervisor: one task, one mailbox, all state of one instance.

mod branch;
mod effects;
mod handle;
mod lan;
mod order;
mod ports;
mod reports;
mod service;
mod telling;

pub(crate) use handle::Message;
pub use handle::{Config, Handle, Outcome, Request};

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use portway_api::{FailureReason, InstanceStatus, ServiceState};
use portway_ports::Hold;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{sleep, sleep_until};

use crate::keeper::keepers;
use crate::lan::Lan;
use crate::logs::LogStore;
use crate::state::Input;
use crate::{control, platform};
use order::Dependencies;
use service::{LogSink, Service};

/// How often it is looked whether the last keepers are gone.
const LAST_ONES: Duration = Duration::from_millis(5);
/// How many events a slow listener may lag behind before it misses some.
const EVENTS: usize = 4096;

/// The supervisor of one instance.
pub struct Supervisor {
    config: Config,
    services: IndexMap<String, Service>,
    holds: HashMap<u16, Arc<Hold>>,
    lan: Option<Lan>,
    sink: LogSink,
    mailbox: mpsc::UnboundedSender<Message>,
    messages: mpsc::UnboundedReceiver<Message>,
    status: watch::Sender<InstanceStatus>,
    began: u64,
    /// Not everything that was asked for has been ready once.
    initial: bool,
    ending: Option<Outcome>,
    /// No grace any more.
    by_force: Arc<AtomicBool>,
    random: u64,
}

impl Supervisor {
    /// Prepares an instance to run; nothing starts before [`Supervisor::run`].
    ///
    /// # Errors
    /// When the logs or the control socket cannot be made.
    pub fn new(mut config: Config) -> io::Result<(Self, Handle)> {
        platform::become_reaper()?;
        let store = Arc::new(Mutex::new(LogStore::open(&config.logs, config.log_size)?));
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
            main: None,
            routes: Vec::new(),
            lan: config.lan.is_some(),
            services: Vec::new(),
        });
        let handle = Handle {
            mailbox: mailbox.clone(),
            status: status_receiver,
            events: events.clone(),
            known,
        };
        let lan = config.lan.take();
        let supervisor = Self {
            lan: lan.map(|lan| Lan::new(lan, events.clone())).transpose()?,
            services,
            holds,
            sink: LogSink { store, events },
            mailbox,
            messages,
            status,
            began,
            initial: true,
            ending: None,
            by_force: Arc::default(),
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
        tokio::spawn(branch::follow(
            self.config.directory.clone(),
            self.config.branch.clone(),
            self.mailbox.clone(),
        ));
        for name in self.config.run.clone() {
            self.step(&name, Input::Start);
        }
        let mut look = tokio::time::Instant::now();
        let outcome = loop {
            self.advance();
            self.serve_on_lan();
            self.publish();
            if let Some(outcome) = self.finished() {
                break outcome;
            }
            // A service that was just started is looked at sooner than was planned.
            look = look.min(tokio::time::Instant::now() + self.until_next_look());
            tokio::select! {
                Some(message) = self.messages.recv() => {
                    self.receive(message);
                    // What came meanwhile is told together: at a start it is much.
                    while let Ok(message) = self.messages.try_recv() {
                        self.advance();
                        self.receive(message);
                    }
                }
                () = sleep_until(look) => {
                    self.look();
                    look = tokio::time::Instant::now() + self.until_next_look();
                }
            }
        };
        // No service is left, but a probe may be that was just asked, or what a lost keeper of one
        // left behind.
        let something_left = || {
            let keepers = keepers();
            !platform::stop_orphans(&keepers, true) || !keepers.is_empty()
        };
        while something_left() {
            sleep(LAST_ONES).await;
        }
        control.close();
        Ok(outcome)
    }

    fn listen_for_signals(&self) -> io::Result<()> {
        let mailbox = self.mailbox.clone();
        platform::on_signals(move |number| {
            let _ = mailbox.send(Message::Signal(number));
        })?;
        if self.config.foreground {
            let mailbox = self.mailbox.clone();
            tokio::spawn(async move {
                platform::terminal_closed().await;
                let _ = mailbox.send(Message::Signal(platform::HANGUP));
            });
        }
        Ok(())
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Request(request) => self.take_request(request),
            Message::Timer { service, epoch } => self.step(&service, Input::Timer(epoch)),
            // The first asks, the second kills, and so does every further one. But a terminal that
            // closes is told in several ways at once (by the kernel, by a shell that passes it on,
            // by `terminal_closed`, by output that nobody takes), and none of them means: hurry.
            Message::Signal(number) => match self.ending {
                None => self.end(Outcome::Signal(number)),
                Some(_) if number == platform::HANGUP => {}
                Some(_) => self.kill(),
            },
            Message::Branch(branch) => self.config.branch = branch,
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
            Request::Release(names) => {
                for name in names {
                    self.let_go(&name);
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
        let failed: Vec<(String, FailureReason)> = wanted
            .iter()
            .filter(|service| service.machine.state() == ServiceState::Failed)
            .filter_map(|service| {
                let reason = service.machine.reason()?.clone();
                Some((service.plan.name.clone(), reason))
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
        self.by_force.store(true, Ordering::Relaxed);
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

    /// A number from 0 to 1 that spreads the restarts of services which failed together
    /// (xorshift; nothing depends on its quality).
    fn jitter(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }
}
