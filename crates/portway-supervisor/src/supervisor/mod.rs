//! The supervisor: a task that owns all state of one instance and handles one message at a time.

mod advance;
mod apply;
mod console;
mod effects;
mod environment;
mod handle;
mod isolation;
mod lan;
mod last_line;
mod missing_program;
mod order;
mod output;
mod ports;
mod probes;
mod quiet_ports;
mod reports;
mod requests;
mod service;
mod status;
mod watcher;

pub(crate) use console::Attachment;
pub(crate) use handle::Message;
pub use handle::{ChangedFiles, Config, Handle, Outcome, Request, Upkeep};
pub use isolation::InstanceNetwork;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use portway_api::{Event, InstanceState, InstanceStatus, Notice, NoticeLevel};
use portway_ports::Hold;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::sleep_until;

#[cfg(unix)]
use crate::guard::Guard;
use crate::lan::Lan;
use crate::launcher::{self, Repeats};
use crate::logs::LogStore;
use crate::state::Input;
use crate::{containers, control, orphans, platform, remnants};
use apply::Applying;
use isolation::Isolation;
use quiet_ports::QuietPorts;
use service::{LogSink, Service};
use watcher::{Watched, Watcher};

/// How long the keepers of probes may take to exit at the end.
const LAST_KEEPERS_TIMEOUT: Duration = Duration::from_secs(8);
/// How many events a slow subscriber may lag behind before it misses some.
const EVENT_CAPACITY: usize = 4096;

/// The supervisor of one instance.
pub struct Supervisor {
    config: Config,
    services: IndexMap<String, Service>,
    holds: HashMap<u16, Arc<Hold>>,
    lan: Option<Lan>,
    isolation: Option<Isolation>,
    sink: LogSink,
    mailbox: mpsc::UnboundedSender<Message>,
    messages: mpsc::UnboundedReceiver<Message>,
    status: watch::Sender<InstanceStatus>,
    /// The start time, in milliseconds since 1970-01-01 UTC.
    since: u64,
    /// Whether some requested service has not been ready yet.
    is_starting: bool,
    /// The outcome, once the instance is being stopped.
    stopping: Option<Outcome>,
    /// Whether processes are killed without a grace period.
    is_killing: Arc<AtomicBool>,
    random: u64,
    /// Whether a notice has reported that the ports cannot be polled.
    has_warned_about_polls: bool,
    /// The ports that are polled less often.
    quiet_ports: QuietPorts,
    /// Whether a thread watches them.
    is_watched: bool,
    /// The project's files that have changed since they were last applied.
    changed_files: Vec<String>,
    /// The changes that are being applied.
    applying: Applying,
    /// The names of all services, which handles share.
    service_names: Arc<Mutex<Vec<String>>>,
}

impl Supervisor {
    /// Creates the supervisor of an instance. It starts nothing before [`Supervisor::run`].
    ///
    /// # Errors
    /// When the log directory cannot be created or the system refuses a required setting.
    pub fn new(mut config: Config) -> io::Result<(Self, Handle)> {
        orphans::spare_children();
        platform::become_reaper()?;
        let store = Arc::new(Mutex::new(LogStore::open(&config.logs, config.log_size)?));
        let (mailbox, messages) = mpsc::unbounded_channel();
        let (events, _) = broadcast::channel(EVENT_CAPACITY);
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
        let since = crate::now();
        let service_names = Arc::new(Mutex::new(
            services.keys().cloned().collect::<Vec<String>>(),
        ));
        let (status, status_receiver) = watch::channel(InstanceStatus {
            id: config.id.clone(),
            name: config.name.clone(),
            project: config.plan.project.clone(),
            directory: config.directory.clone(),
            branch: config.branch.clone(),
            state: InstanceState::Starting,
            pid: Some(std::process::id()),
            since: Some(since),
            main: None,
            routes: Vec::new(),
            usual_ports: Vec::new(),
            lan: config.lan.is_some(),
            network: None,
            changed_files: Vec::new(),
            services: Vec::new(),
        });
        let handle = Handle {
            mailbox: mailbox.clone(),
            status: status_receiver,
            events: events.clone(),
            service_names: service_names.clone(),
            changed_files: config.changed_files.clone(),
            manifest: config.manifest.clone(),
        };
        let lan = config.lan.take();
        let isolation = config.network.take().map(Isolation::new);
        let supervisor = Self {
            lan: lan.map(|lan| Lan::new(lan, events.clone())).transpose()?,
            isolation,
            services,
            holds,
            sink: LogSink { store, events },
            mailbox,
            messages,
            status,
            since,
            is_starting: true,
            stopping: None,
            is_killing: Arc::default(),
            random: since | 1,
            has_warned_about_polls: false,
            quiet_ports: QuietPorts::default(),
            is_watched: false,
            changed_files: Vec::new(),
            applying: Applying::default(),
            service_names,
            config,
        };
        Ok((supervisor, handle))
    }

    /// Runs the instance until a stop is requested or a service fails during the start. No process
    /// that it started is left when it returns. Calls `on_serving` once the control socket exists.
    ///
    /// # Errors
    /// When the control socket cannot be created. Nothing has been started in that case.
    pub async fn run(mut self, handle: Handle, on_serving: impl FnOnce()) -> io::Result<Outcome> {
        let control = control::serve(&self.config.socket, handle)?;
        tracing::info!(instance = self.config.name, services = ?self.config.services, "supervising");
        on_serving();
        self.listen_for_signals()?;
        let watched = Watched {
            directory: self.config.directory.clone(),
            changed_files: self.config.changed_files.clone(),
            upkeep: std::mem::replace(&mut self.config.upkeep, Box::new(|_| {})),
            ports: self.quiet_ports.clone(),
            status: self.status.subscribe(),
            mailbox: self.mailbox.clone(),
        };
        let watcher = Watcher::start(watched)
            .inspect_err(|error| tracing::warn!(%error, "cannot start the watching thread"))
            .ok();
        self.is_watched = watcher.is_some();
        tokio::spawn(orphans::reap());
        for name in self.config.services.clone() {
            self.step(&name, Input::Start);
        }
        // After the services, whose start it must not delay.
        #[cfg(unix)]
        let guard = Guard::start(self.instance_dir())
            .inspect_err(|error| tracing::warn!(%error, "cannot start the guard"))
            .ok();
        let mut next_poll = tokio::time::Instant::now();
        let outcome = loop {
            self.advance();
            self.update_lan();
            self.publish_host_ports();
            self.publish_status();
            if let Some(outcome) = self.outcome() {
                break outcome;
            }
            // A service that has just started is polled earlier than planned.
            next_poll = next_poll.min(tokio::time::Instant::now() + self.poll_interval());
            tokio::select! {
                Some(message) = self.messages.recv() => {
                    self.handle_message(message);
                    // Handling all waiting messages first avoids many status updates during a start.
                    while let Ok(message) = self.messages.try_recv() {
                        self.advance();
                        self.handle_message(message);
                    }
                }
                () = sleep_until(next_poll) => {
                    self.poll_ports();
                    next_poll = tokio::time::Instant::now() + self.poll_interval();
                }
            }
        };
        // The keeper of a probe may still be running, or processes that a lost one left.
        let stuck = orphans::finish(LAST_KEEPERS_TIMEOUT).await;
        self.report_last_stuck(&stuck);
        remnants::clean(self.instance_dir());
        containers::finish_supervised(self.instance_dir()).await;
        #[cfg(unix)]
        if let Some(guard) = guard {
            guard.finish();
        }
        control.close();
        drop(watcher);
        // The output may be blocked by a reader that has paused.
        platform::let_signals_end_process();
        Ok(outcome)
    }

    fn listen_for_signals(&self) -> io::Result<()> {
        let mailbox = self.mailbox.clone();
        let (repeats, started) = (Arc::new(Mutex::new(Repeats::default())), Instant::now());
        platform::on_signal(move |number| {
            let is_repeat = repeats.lock().is_ok_and(|mut repeats| {
                repeats.contains(number, started.elapsed(), launcher::repeat_time())
            });
            if !is_repeat {
                // Sending fails only when the supervisor has stopped.
                let _ = mailbox.send(Message::Signal(number));
            }
        })?;
        if self.config.is_foreground {
            let mailbox = self.mailbox.clone();
            tokio::spawn(async move {
                platform::terminal_closed().await;
                // Sending fails only when the supervisor has stopped.
                let _ = mailbox.send(Message::Signal(platform::SIGHUP));
            });
        }
        Ok(())
    }

    fn handle_message(&mut self, message: Message) {
        match message {
            Message::Request(request) => self.handle_request(request),
            Message::Timer {
                service,
                epoch,
                due,
            } => self.handle_timer(&service, epoch, due),
            // The first signal stops the instance, and further ones kill it. A closed terminal is
            // reported several times: by the kernel, by a shell that forwards the signal, by
            // `terminal_closed` and by output that cannot be written. None of them is urgent.
            Message::Signal(number) => match self.stopping {
                None => {
                    if number == platform::SIGINT {
                        self.announce_stop("; press Ctrl-C again to kill");
                    }
                    self.stop(Outcome::Signal(number));
                }
                Some(_) if number == platform::SIGHUP => {}
                Some(_) => self.kill(),
            },
            Message::Branch(branch) => self.config.branch = branch,
            Message::Apply(request, reply) => self.request_apply(request, reply),
            Message::ChangePlanned {
                result,
                is_dry_run,
                reply,
            } => self.handle_planned_change(result, is_dry_run, reply),
            Message::Environment(reply) => {
                // The command may have gone.
                let _ = reply.send(self.environment());
            }
            // The command may have gone.
            Message::Attach(service, reply) => drop(reply.send(self.attach(&service))),
            Message::ChangedFiles(files) => self.changed_files = files,
            Message::CheckPorts => self.poll_ports(),
            Message::Report {
                service,
                generation,
                report,
            } => {
                let current = self.services.get(&service).map(|s| s.generation);
                if current == Some(generation) {
                    self.handle_report(&service, report);
                }
            }
        }
    }

    /// Starts and stops services whose dependencies and dependents allow it now.
    fn advance(&mut self) {
        self.continue_change();
        loop {
            let inputs = match self.stopping {
                Some(_) => self.next_stops(),
                None => self.next_starts(),
            };
            if inputs.is_empty() {
                break;
            }
            for (name, input) in inputs {
                self.step(&name, input);
            }
        }
        if self.stopping.is_none() && (self.is_starting || self.config.abort_on_failure) {
            self.evaluate_failures();
        }
    }

    fn stop(&mut self, outcome: Outcome) {
        self.stopping.get_or_insert(outcome);
    }

    /// Stops the instance because another command requested it.
    fn stop_on_request(&mut self) {
        if self.stopping.is_none() {
            self.announce_stop(": another command, such as `portway down`, requested it");
        }
        self.stop(Outcome::Stopped);
    }

    /// Reports to the user of a foreground supervisor that its services are being stopped. `more` is the
    /// end of the text.
    fn announce_stop(&self, more: &str) {
        let active = self.services.values();
        let active = active.filter(|service| !service.machine.is_idle()).count();
        if !self.config.is_foreground || active == 0 {
            return;
        }
        let plural = if active == 1 { "" } else { "s" };
        self.sink.send(Event::Notice(Notice {
            level: NoticeLevel::Info,
            service: None,
            text: format!("stopping {active} service{plural}{more}"),
        }));
    }

    fn kill(&mut self) {
        self.is_killing.store(true, Ordering::Relaxed);
        let names: Vec<String> = self.services.keys().cloned().collect();
        for name in names {
            self.stop_keeper(&name, true);
            self.step(&name, Input::Stop);
        }
    }

    /// Returns the outcome once the instance is being stopped and no service is left.
    fn outcome(&self) -> Option<Outcome> {
        let is_idle = self
            .services
            .values()
            .all(|service| service.machine.is_idle() && service.keeper.is_none());
        self.stopping.clone().filter(|_| is_idle)
    }

    /// Returns a number from 0 to 1 (xorshift). It spreads the restarts of services that failed
    /// together, and nothing depends on its quality.
    fn jitter(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }
}
