//! One service as the supervisor has it: its state machine, its keeper, what watches it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use portway_api::{Event, LogStream};
use portway_project::plan::{Liveness, LogPattern, Probe, ReadinessProbe};
use portway_project::policy::StopPolicy;
use portway_project::{Launch, PlannedService};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::handle::{Message, Report};
use crate::keeper::{Keeper, KeeperEvent, KeeperExit, Start, Streams};
use crate::logs::{LineCutter, LogStore};
use crate::mark;
use crate::probe::{self, ProbeRequest};
use crate::state::{ExitStatus, Machine, Policy};

/// A line without a newline is shown when nothing more has come for this long.
const PARTIAL_LINE: Duration = Duration::from_millis(250);
/// What is still in the pipes of a tree that is gone arrives within this time.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the keeper of a service keeps at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Prepare,
    Main,
}

/// One service.
pub(super) struct Service {
    pub(super) plan: PlannedService,
    pub(super) machine: Machine,
    pub(super) keeper: Option<(Keeper, Role)>,
    /// Counts the processes that were started for it; a report about an earlier one is ignored.
    pub(super) generation: u64,
    /// When the present process was started.
    pub(super) started: Instant,
    /// How the prepare step ended.
    pub(super) prepared: Option<ExitStatus>,
    /// The service whose prepare step, the same as its own, it waits for.
    pub(super) prepares_with: Option<String>,
    /// The sockets that have been found to be its own.
    pub(super) sockets: Vec<u64>,
    /// How often somebody listened whom nobody could see.
    pub(super) unclear: u32,
    /// Whether it has been said that it listens elsewhere.
    pub(super) said_elsewhere: bool,
    /// Whether its ports are free for others until it is started again.
    pub(super) let_go: bool,
    /// Whether a line of its output has matched the readiness pattern.
    pub(super) log_matched: bool,
    /// When it came into its present state, in milliseconds since 1970-01-01 UTC.
    pub(super) since: u64,
    watchers: Vec<JoinHandle<()>>,
}

impl Service {
    pub(super) fn new(plan: PlannedService, now: Instant) -> Self {
        let policy = Policy {
            restart: plan.restart,
            ready_timeout: plan.readiness.timeout,
            prepares: plan.prepare.is_some(),
            listens: !plan.ports.is_empty(),
            probes: plan.readiness.probe.is_some(),
        };
        Self {
            machine: Machine::new(policy, now),
            keeper: None,
            generation: 0,
            started: now,
            prepared: None,
            prepares_with: None,
            sockets: Vec::new(),
            unclear: 0,
            said_elsewhere: false,
            let_go: false,
            log_matched: false,
            since: crate::now(),
            watchers: Vec::new(),
            plan,
        }
    }

    pub(super) fn stop(&self) -> StopPolicy {
        self.plan.stop
    }

    /// The pattern of its output that tells that it is ready.
    pub(super) fn log_pattern(&self) -> Option<LogPattern> {
        match &self.plan.readiness.probe {
            Some(ReadinessProbe::Log(pattern)) => Some(pattern.clone()),
            _ => None,
        }
    }

    /// Remembers a task that must not outlive the present process.
    pub(super) fn watch(&mut self, task: JoinHandle<()>) {
        self.watchers.push(task);
    }

    /// Ends the tasks that watched the process that was.
    pub(super) fn stop_watching(&mut self) {
        for task in self.watchers.drain(..) {
            task.abort();
        }
    }
}

/// The request of a probe over the network; `None` for a command.
pub(super) fn question(probe: &Probe, ports: &[u16]) -> Option<ProbeRequest> {
    Some(match probe {
        Probe::Http { port, path } => ProbeRequest::Http {
            port: *ports.get(*port)?,
            path: path.clone(),
        },
        Probe::Tcp { port } => ProbeRequest::Tcp {
            port: *ports.get(*port)?,
        },
        Probe::Exec(_) => return None,
    })
}

/// Where a service's lines go.
#[derive(Clone)]
pub(super) struct LogSink {
    pub(super) store: Arc<Mutex<LogStore>>,
    pub(super) events: broadcast::Sender<Event>,
}

impl LogSink {
    pub(super) fn write(&self, service: &str, stream: LogStream, text: String) {
        let record = self.lock().append(service, stream, text);
        // Nobody may be listening.
        let _ = self.events.send(Event::Log(record));
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, LogStore> {
        self.store
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Starts a keeper for a service and the tasks that listen to it.
pub(super) fn launch(
    service: &str,
    generation: u64,
    start: Start,
    sink: &LogSink,
    pattern: Option<LogPattern>,
    mailbox: &mpsc::UnboundedSender<Message>,
) -> io::Result<Keeper> {
    let (keeper, streams) = Keeper::start(start)?;
    let reporter = Reporter {
        service: service.to_owned(),
        generation,
        mailbox: mailbox.clone(),
    };
    let matched = Arc::new(AtomicBool::new(pattern.is_none()));
    tokio::spawn(attend(streams, sink.clone(), pattern, matched, reporter));
    Ok(keeper)
}

/// Sends what happens to one process of one service.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) service: String,
    pub(super) generation: u64,
    pub(super) mailbox: mpsc::UnboundedSender<Message>,
}

impl Reporter {
    pub(super) fn send(&self, report: Report) {
        // A supervisor that has ended needs no reports.
        let _ = self.mailbox.send(Message::Report {
            service: self.service.clone(),
            generation: self.generation,
            report,
        });
    }
}

/// Listens to a keeper until it is gone, and its output until that has ended.
async fn attend(
    streams: Streams,
    sink: LogSink,
    pattern: Option<LogPattern>,
    matched: Arc<AtomicBool>,
    reporter: Reporter,
) {
    let (out, err, mut reports) = streams.split();
    let reader = |stream, input: Box<dyn AsyncRead + Send + Unpin>| {
        let (sink, reporter) = (sink.clone(), reporter.clone());
        let (pattern, matched) = (pattern.clone(), matched.clone());
        tokio::spawn(async move {
            let line = |text: String| {
                if let Some(pattern) = &pattern
                    && !matched.load(Ordering::Relaxed)
                    && pattern.is_match(&text)
                    && !matched.swap(true, Ordering::Relaxed)
                {
                    reporter.send(Report::LogMatched);
                }
                sink.write(&reporter.service, stream, text);
            };
            read_lines(input, line).await;
        })
    };
    let out = reader(LogStream::Out, Box::new(out));
    let err = reader(LogStream::Err, Box::new(err));
    loop {
        let event = reports.next().await;
        let KeeperEvent::KeeperExited(exit) = event else {
            reporter.send(Report::Keeper(event));
            continue;
        };
        // The last words first, so that whoever asks why it ended finds them.
        if exit == KeeperExit::Clean {
            let _ = timeout(LAST_WORDS, async {
                let _ = out.await;
                let _ = err.await;
            })
            .await;
        }
        reporter.send(Report::Keeper(KeeperEvent::KeeperExited(exit)));
        return;
    }
}

async fn read_lines(mut input: impl AsyncRead + Unpin, mut line: impl FnMut(String)) {
    let mut cutter = LineCutter::default();
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = input.read(&mut bytes);
        let count = if cutter.is_waiting() {
            match timeout(PARTIAL_LINE, read).await {
                Ok(count) => count,
                Err(_) => {
                    cutter.flush(&mut line);
                    continue;
                }
            }
        } else {
            read.await
        };
        match count {
            Ok(count) if count > 0 => cutter.feed(&bytes[..count], &mut line),
            _ => {
                cutter.flush(&mut line);
                return;
            }
        }
        // A service that prints without end must not keep the others from being heard.
        tokio::task::yield_now().await;
    }
}

/// Asks a readiness question until the answer is yes.
pub(super) async fn until_ready(question: ProbeRequest, reporter: Reporter) {
    let mut pause = Duration::from_millis(20);
    while !is_yes(&question, probe::PROBE_TIMEOUT).await {
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
    reporter.send(Report::ProbeSucceeded);
}

async fn is_yes(question: &ProbeRequest, limit: Duration) -> bool {
    let answer = probe::send(question, limit).await;
    answer.is_ok_and(|answer| answer.is_success())
}

/// Runs a readiness command until it succeeds.
pub(super) async fn until_exec(command: ExecProbe, reporter: Reporter) {
    let mut pause = Duration::from_millis(50);
    while !command.run(Duration::from_secs(30)).await {
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
    reporter.send(Report::ProbeSucceeded);
}

/// A probe that is a command.
#[derive(Clone)]
pub(super) struct ExecProbe {
    command: String,
    launch: Launch,
    mark: String,
}

impl ExecProbe {
    pub(super) fn new(command: &str, launch: &Launch, mark: String) -> Self {
        Self {
            command: command.to_owned(),
            launch: launch.clone(),
            mark,
        }
    }

    /// Runs it once under a keeper of its own, so that it leaves nothing behind either.
    async fn run(&self, limit: Duration) -> bool {
        let start = Start {
            command: self.command.clone(),
            dir: self.launch.dir.clone(),
            env: environment(&self.launch, &self.mark, false),
            signal: portway_project::policy::StopSignal::Term,
            grace: Duration::from_millis(500),
            socket: None,
        };
        let Ok((keeper, streams)) = Keeper::start(start) else {
            return false;
        };
        let (out, err, mut reports) = streams.split();
        let drain = tokio::spawn(async move {
            tokio::join!(read_lines(out, drop), read_lines(err, drop));
        });
        let (answer, answered) = oneshot::channel();
        // In a task of its own, which goes on when the probe is not wanted any more: the keeper is
        // waited for in any case.
        tokio::spawn(async move {
            let mut answer = Some(answer);
            loop {
                let success = match reports.next().await {
                    KeeperEvent::Started(_) => continue,
                    KeeperEvent::Exited(ended) => ended == ExitStatus::Code(0),
                    KeeperEvent::Failed(_) => false,
                    KeeperEvent::KeeperExited(_) => break,
                };
                if let Some(answer) = answer.take() {
                    let _ = answer.send(success);
                }
            }
            drain.abort();
        });
        let success = timeout(limit, answered).await;
        // Without it the keeper ends what is left, here or where this future is dropped.
        drop(keeper);
        matches!(success, Ok(Ok(true)))
    }
}

/// Asks a liveness probe again and again.
pub(super) async fn watch_liveness(
    liveness: Liveness,
    question: Option<ProbeRequest>,
    exec: Option<ExecProbe>,
    reporter: Reporter,
) {
    let mut failures = 0;
    loop {
        sleep(liveness.interval).await;
        let alive = match (&question, &exec) {
            (_, Some(exec)) => exec.run(liveness.timeout).await,
            (Some(question), None) => is_yes(question, liveness.timeout).await,
            (None, None) => return,
        };
        failures = if alive { 0 } else { failures + 1 };
        if alive || failures >= liveness.failures {
            reporter.send(Report::Alive(alive));
        }
    }
}

/// The environment of a service's process. `colour`: whether people will see its output in a
/// terminal that has colours; a pipe would make it print without.
pub(super) fn environment(launch: &Launch, mark: &str, colour: bool) -> IndexMap<String, String> {
    let mut env = IndexMap::new();
    let mut offer = |name: &str, value: &str| {
        if std::env::var_os(name).is_none() {
            env.insert(name.to_owned(), value.to_owned());
        }
    };
    // Python holds back what it prints into a pipe.
    offer("PYTHONUNBUFFERED", "1");
    if colour {
        offer("FORCE_COLOR", "1");
        offer("CLICOLOR_FORCE", "1");
    }
    env.extend(launch.env.clone());
    env.insert(mark::NAME.to_owned(), mark.to_owned());
    env
}
