//! One service of a supervisor: its state machine, its keeper and the reading of its output.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portway_api::{Event, LogStream};
use portway_project::PlannedService;
use portway_project::plan::{LogPattern, ReadinessProbe};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::console::Console;
use super::handle::{Message, Report};
use crate::keeper::{Keeper, KeeperConfig, KeeperEvent, KeeperExit, KeeperStreams};
use crate::logs::{LineSplitter, LogStore};
use crate::state::{ExitStatus, Policy, StateMachine};

/// An incomplete line is logged when no more output has arrived for this long.
const PARTIAL_LINE_TIMEOUT: Duration = Duration::from_millis(250);
/// How long to wait for output that is still in the pipes when a process tree is gone.
const LAST_OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a keeper runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    PrepareStep,
    Service,
}

/// A service.
pub(super) struct Service {
    pub(super) plan: PlannedService,
    pub(super) machine: StateMachine,
    pub(super) keeper: Option<(Keeper, Role)>,
    /// The number of processes that were started. Reports about earlier ones are ignored.
    pub(super) generation: u64,
    /// When the current process was started.
    pub(super) started: Instant,
    /// The processor time of the current process when it was checked last while it started.
    pub(super) processor_time: Duration,
    /// How the prepare step exited.
    pub(super) prepare_status: Option<ExitStatus>,
    /// The service whose identical prepare step this one waits for.
    pub(super) shares_prepare_with: Option<String>,
    /// The listening sockets that passed the ownership check.
    pub(super) verified_sockets: Vec<u64>,
    /// The sockets of other processes on the service's ports that were reported.
    pub(super) other_listeners: Vec<u64>,
    /// How many polls in a row could not identify the listening process.
    pub(super) unknown_polls: u32,
    /// Whether a notice has reported that the service listens on another port.
    pub(super) has_warned_about_port: bool,
    /// Whether the keeper did not stop its processes in time and was killed.
    pub(super) is_overdue: bool,
    /// Whether the ports are released until the service is started again.
    pub(super) is_released: bool,
    /// Whether a line of output has matched the readiness pattern.
    pub(super) log_matched: bool,
    /// When the service entered its state, in milliseconds since 1970-01-01 UTC.
    pub(super) since: u64,
    /// The last lines that the service printed before it failed.
    pub(super) last_output: Vec<String>,
    pub(super) readiness_probe: Option<JoinHandle<()>>,
    pub(super) liveness_probe: Option<JoinHandle<()>>,
    /// The console of the current process.
    pub(super) console: Option<Arc<Console>>,
}

fn policy(plan: &PlannedService) -> Policy {
    Policy {
        restart: plan.restart,
        ready_timeout: plan.readiness.timeout,
        has_prepare_step: plan.prepare.is_some(),
        has_ports: !plan.ports.is_empty(),
        has_readiness_probe: plan.readiness.probe.is_some(),
    }
}

/// Returns a generation that no service of this process has had, so that what is late from a removed or
/// replaced service never belongs to another one of its name.
fn next_generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Service {
    pub(super) fn new(plan: PlannedService, now: Instant) -> Self {
        let generation = next_generation();
        Self {
            // A machine has fewer phases than this shift leaves room for.
            machine: StateMachine::new(policy(&plan), generation << 32, now),
            keeper: None,
            generation,
            started: now,
            processor_time: Duration::ZERO,
            prepare_status: None,
            shares_prepare_with: None,
            verified_sockets: Vec::new(),
            other_listeners: Vec::new(),
            unknown_polls: 0,
            has_warned_about_port: false,
            is_overdue: false,
            is_released: false,
            log_matched: false,
            since: crate::now(),
            last_output: Vec::new(),
            readiness_probe: None,
            liveness_probe: None,
            console: None,
            plan,
        }
    }

    /// Replaces the plan of a service that keeps running. What its process received is the same.
    pub(super) fn update(&mut self, plan: PlannedService) {
        self.machine.set_policy(policy(&plan));
        self.plan = plan;
    }

    /// Resets what belongs to the previous process, before another one is started.
    pub(super) fn begin_generation(&mut self) {
        self.generation = next_generation();
        self.processor_time = Duration::ZERO;
        self.started = Instant::now();
        self.prepare_status = None;
        self.verified_sockets.clear();
        self.unknown_polls = 0;
        self.has_warned_about_port = false;
        self.is_overdue = false;
        self.is_released = false;
        self.log_matched = false;
        self.last_output.clear();
        self.console = None;
    }

    /// Returns the pattern of the readiness probe, if that is a pattern.
    pub(super) fn log_pattern(&self) -> Option<LogPattern> {
        match &self.plan.readiness.probe {
            Some(ReadinessProbe::Log(pattern)) => Some(pattern.clone()),
            _ => None,
        }
    }

    /// Aborts the probes. Their results do not matter once the process tree is gone.
    pub(super) fn abort_probes(&mut self) {
        let probes = [self.readiness_probe.take(), self.liveness_probe.take()];
        for task in probes.into_iter().flatten() {
            task.abort();
        }
    }
}

/// The log files and the subscribers to events.
#[derive(Clone)]
pub(super) struct LogSink {
    pub(super) store: Arc<Mutex<LogStore>>,
    pub(super) events: broadcast::Sender<Event>,
}

impl LogSink {
    /// Writes a line to the log and sends it to the subscribers.
    pub(super) fn write(&self, service: &str, stream: LogStream, text: String) {
        let record = self.lock().append(service, stream, text);
        self.send(Event::Log(record));
    }

    /// Sends an event to the subscribers.
    pub(super) fn send(&self, event: Event) {
        // Sending fails only when there are no subscribers.
        let _ = self.events.send(event);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LogStore> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends reports about one process of one service to the supervisor.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) service: String,
    pub(super) generation: u64,
    pub(super) mailbox: mpsc::UnboundedSender<Message>,
}

impl Reporter {
    pub(super) fn send(&self, report: Report) {
        // Sending fails only when the supervisor has stopped.
        let _ = self.mailbox.send(Message::Report {
            service: self.service.clone(),
            generation: self.generation,
            report,
        });
    }
}

/// Starts a keeper and a task that reads its output and events. Returns the console of its command, too.
pub(super) fn start_keeper(
    config: KeeperConfig,
    sink: &LogSink,
    pattern: Option<LogPattern>,
    reporter: Reporter,
) -> io::Result<(Keeper, Arc<Console>)> {
    let (keeper, streams) = Keeper::start(config)?;
    let console = Arc::new(Console::new(streams.input.clone()));
    let task = read_keeper(streams, sink.clone(), pattern, reporter, console.clone());
    tokio::spawn(task);
    Ok((keeper, console))
}

/// Reports the events of a keeper until it has exited, and logs the output of its process tree.
async fn read_keeper(
    streams: KeeperStreams,
    sink: LogSink,
    pattern: Option<LogPattern>,
    reporter: Reporter,
    console: Arc<Console>,
) {
    let KeeperStreams {
        out,
        err,
        mut events,
        ..
    } = streams;
    let has_matched = Arc::new(AtomicBool::new(pattern.is_none()));
    let reader = |stream, input: Box<dyn AsyncRead + Send + Unpin>| {
        let (sink, reporter, console) = (sink.clone(), reporter.clone(), console.clone());
        let (pattern, has_matched) = (pattern.clone(), has_matched.clone());
        tokio::spawn(async move {
            let line = |text: String| {
                if let Some(pattern) = &pattern
                    && !has_matched.load(Ordering::Relaxed)
                    && pattern.is_match(&text)
                    && !has_matched.swap(true, Ordering::Relaxed)
                {
                    reporter.send(Report::LogMatched);
                }
                sink.write(&reporter.service, stream, text);
            };
            read_output(input, |bytes| console.write(bytes), line).await;
        })
    };
    let out = reader(LogStream::Out, out);
    let err = reader(LogStream::Err, Box::new(err));
    loop {
        let event = events.next().await;
        let KeeperEvent::KeeperExited(exit) = event else {
            reporter.send(Report::Keeper(event));
            continue;
        };
        // The remaining output is logged before the exit is reported, so that it is available when
        // a user reads why the service exited.
        if exit == KeeperExit::Clean {
            // The timeout is for a process that left the tree and keeps the pipes open. The tasks
            // have no results.
            let _ = timeout(LAST_OUTPUT_TIMEOUT, async {
                let _ = out.await;
                let _ = err.await;
            })
            .await;
        }
        console.close();
        reporter.send(Report::Keeper(KeeperEvent::KeeperExited(exit)));
        return;
    }
}

/// Calls `line` for each line of `input` until its end.
pub(super) async fn read_lines(input: impl AsyncRead + Unpin, line: impl FnMut(String)) {
    read_output(input, |_| {}, line).await;
}

/// Calls `raw` for the bytes of `input`, and `line` for each line, until its end.
async fn read_output(
    mut input: impl AsyncRead + Unpin,
    mut raw: impl FnMut(&[u8]),
    mut line: impl FnMut(String),
) {
    let mut splitter = LineSplitter::default();
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = input.read(&mut bytes);
        let count = if splitter.has_partial_line() {
            match timeout(PARTIAL_LINE_TIMEOUT, read).await {
                Ok(count) => count,
                Err(_) => {
                    splitter.flush(&mut line);
                    continue;
                }
            }
        } else {
            read.await
        };
        match count {
            Ok(count) if count > 0 => {
                raw(&bytes[..count]);
                splitter.feed(&bytes[..count], &mut line);
            }
            _ => {
                splitter.flush(&mut line);
                return;
            }
        }
        // A service that prints endlessly must not block the other tasks.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use portway_project::{Manifest, Plan, Preferences};

    use super::*;
    use crate::state::{Effect, Input};

    fn starting(plan: &PlannedService) -> (Service, Vec<Effect>) {
        let now = Instant::now();
        let mut service = Service::new(plan.clone(), now);
        let mut effects = Vec::new();
        for input in [Input::Start, Input::DependenciesMet, Input::Started(7)] {
            effects.extend(service.machine.step(input, now, 0.5));
        }
        (service, effects)
    }

    #[test]
    fn what_is_late_from_a_replaced_service_is_ignored() {
        let text = "[services.a]\ncommand = \"a\"\nport = 9000\n";
        let manifest = Manifest::parse(Path::new("portway.toml"), text).unwrap();
        let plan = Plan::with_preferences(&manifest, &[], &Preferences::default()).unwrap();
        let (mut old, effects) = starting(&plan.services["a"]);
        let timers = effects.iter().filter_map(|effect| match effect {
            Effect::SetTimer { epoch, .. } => Some(*epoch),
            _ => None,
        });
        let timers: Vec<u64> = timers.collect();
        assert!(!timers.is_empty());
        old.begin_generation();
        let (mut new, _) = starting(&plan.services["a"]);
        new.begin_generation();
        assert_ne!(old.generation, new.generation);
        for epoch in timers {
            let effects = new
                .machine
                .step(Input::Timer(epoch, None), Instant::now(), 0.5);
            assert_eq!(effects, []);
        }
    }
}
