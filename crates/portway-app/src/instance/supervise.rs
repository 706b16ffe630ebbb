//! Being the supervisor of an instance: in the foreground, or in the background for `--detach`.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use portway_api::{
    ErrorBody, ErrorCode, Event, FailureReason, InstanceState, InstanceStatus, LogStream,
    NoticeLevel, ServiceState,
};
use portway_registry::InstanceLock;
use portway_supervisor::logs::{self, Filter};
use portway_supervisor::{Config, LanConfig, Outcome, Request, Supervisor, control};
use tokio::sync::{broadcast, oneshot};

use super::attach;
use super::connection::{self, Supervised, not_running};
use super::host::ProjectSteward;
use crate::allocation::{self, Keep};
use crate::diagnostics::{self, SUPERVISOR_LOG};
use crate::error::CommandError;
use crate::gateway::client;
use crate::options::UpOptions;
use crate::platform;
use crate::project::Project;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// The hidden command that makes a background supervisor of the binary.
pub const COMMAND: &str = "__supervise";

/// The line that a background supervisor prints on its standard output when it can be reached.
pub const SERVING: &str = "serving";

/// How long the last lines of the output may take when nobody reads them.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// Runs the instance in this process until it ends. The lock makes its leases live.
fn run(
    mut project: Project,
    lock: InstanceLock,
    options: &UpOptions,
    foreground: Option<&Arc<dyn Reporter>>,
    on_serving: impl FnOnce(),
) -> Result<(), CommandError> {
    diagnostics::log_to(&project.dir().join(SUPERVISOR_LOG));
    let services = project.closure(&options.services)?;
    project.lan = options.lan;
    let allocation = allocation::allocate(&mut project, &options.selection, Keep::Hard)?;
    let allocation = allocation.ok_or_else(not_running)?;
    let displaced = allocation::displaced(&mut project, &allocation)?;
    let dir = project.dir();
    let logs = project.logs();
    let names: Vec<String> = project.plan.services.keys().cloned().collect();
    let config = Config {
        id: project.instance.id.clone(),
        name: project.instance.name.clone(),
        directory: project.checkout.root.display().to_string(),
        branch: project.instance.branch.clone(),
        plan: project.plan.clone(),
        ports: allocation.ports.clone(),
        wiring: allocation.wiring,
        displaced,
        warnings: allocation.warnings,
        holds: allocation.holds,
        services,
        logs: logs.clone(),
        log_size: project.preferences.log_size(),
        socket: dir.join(control::SOCKET),
        lan: on_lan(&project),
        is_foreground: foreground.is_some(),
        color: foreground.is_some_and(|reporter| reporter.is_colored()),
        host: Box::new(ProjectSteward {
            project,
            ports: allocation.ports,
        }),
    };
    let runtime = runtime()?;
    let failed = |error: io::Error| {
        CommandError::file("use", &dir, &error).hint("make the directory writable")
    };
    let (outcome, screen) = runtime.block_on(async {
        let (supervisor, handle) = Supervisor::new(config).map_err(failed)?;
        let screen = foreground.map(|reporter| {
            let (deaf, on_deaf) = oneshot::channel();
            let screen = Screen::start(handle.events(), names, reporter.clone(), deaf);
            // The handle stays within the runtime: a screen that had one would itself keep the
            // events from ending, which it waits for.
            let handle = handle.clone();
            tokio::spawn(async move {
                if on_deaf.await.is_ok() {
                    handle.send(Request::Stop(Vec::new()));
                }
            });
            screen
        });
        if foreground.is_none() {
            let_go_when_started(handle.events());
        }
        let outcome = supervisor.run(handle, on_serving).await.map_err(failed)?;
        Ok::<_, CommandError>((outcome, screen))
    })?;
    // With the runtime the last sender of events goes, and the screen sees their end.
    drop(runtime);
    if let Some(screen) = screen {
        screen.finish();
    }
    drop(lock);
    match outcome {
        Outcome::Stopped => Ok(()),
        Outcome::Signal(number) => Err(CommandError::signal(number)),
        Outcome::Failed(failed) => {
            let code = FailureReason::error_code_of(failed.iter().map(|(_, reason)| reason));
            let words: Vec<String> = failed
                .iter()
                .map(|(service, why)| format!("`{service}` {why}"))
                .collect();
            let lines = last_lines(&logs, &failed[0].0);
            let error = CommandError::new(code, words.join("; "));
            let error = if lines.is_empty() || foreground.is_some() {
                error
            } else {
                error.hint(format!("its last lines:\n{lines}"))
            };
            Err(error.hint(format!("`portway logs {}` shows all of them", failed[0].0)))
        }
    }
}

/// What the instance serves on the local network, if anything.
fn on_lan(project: &Project) -> Option<LanConfig> {
    let services = project.plan.published_on_lan(project.lan.into());
    let instance = &project.instance.name;
    (!services.is_empty()).then(|| LanConfig {
        services,
        host: portway_lan::host_name(instance),
        instance: instance.clone(),
        project: project.plan.project.clone(),
    })
}

/// The end of a service's log, indented.
fn last_lines(dir: &Path, service: &str) -> String {
    const SHOWN: usize = 20;
    let filter = Filter {
        services: vec![service.to_owned()],
        ..Filter::default()
    };
    let records = logs::read(dir, &filter);
    let printed: Vec<String> = records
        .iter()
        .filter(|record| record.stream != LogStream::Portway)
        .map(|record| format!("    {}", record.text))
        .collect();
    printed[printed.len().saturating_sub(SHOWN)..].join("\n")
}

/// Supervises in the foreground until the instance ends; false when another process supervises it
/// already.
pub(super) fn foreground(
    mut project: Project,
    options: &UpOptions,
    reporter: &Arc<dyn Reporter>,
) -> Result<bool, CommandError> {
    let id = project.instance.id.clone();
    match project.registry.lock_as_supervisor(&id)? {
        Some(lock) => run(project, lock, options, Some(reporter), || {}).map(|()| true),
        None => Ok(false),
    }
}

/// The hidden command [`COMMAND`]: supervises in the background.
///
/// The process that started this one reads its standard output. The caller prints [`SERVING`] there
/// when `on_serving` is called, or the error as JSON.
///
/// # Errors
/// When the project cannot be used, a port cannot be had, or a service fails.
pub fn background(
    directory: Option<&Path>,
    options: &UpOptions,
    on_serving: impl FnOnce(),
) -> Result<(), CommandError> {
    platform::leave_terminal();
    let mut project = Project::open(directory, &options.selection)?;
    let id = project.instance.id.clone();
    match project.registry.lock_as_supervisor(&id)? {
        Some(lock) => run(project, lock, options, None, on_serving),
        None => {
            on_serving();
            Ok(())
        }
    }
}

/// Lets go of the pipe to whoever started this process, once the start has come to its end.
fn let_go_when_started(mut events: broadcast::Receiver<Event>) {
    thread::spawn(move || {
        loop {
            match events.blocking_recv() {
                Ok(Event::Status(status)) if status.state == InstanceState::Ready => break,
                Err(broadcast::error::RecvError::Closed) => return,
                _ => {}
            }
        }
        platform::close_stdout();
    });
}

/// A supervisor that was started in the background. Until its services are ready it tells through
/// a pipe why they are not.
pub(super) struct Background {
    answers: BufReader<ChildStdout>,
}

impl Background {
    /// Why it ended, if it said so.
    fn failure(mut self) -> Option<CommandError> {
        let mut text = String::new();
        self.answers.read_to_string(&mut text).ok()?;
        let body: ErrorBody = serde_json::from_str(&text).ok()?;
        Some(body.error.into())
    }
}

/// Starts a supervisor in the background and returns when it can be reached.
pub(super) fn detach(project: &Project, options: &UpOptions) -> Result<Background, CommandError> {
    let dir = project.dir();
    let start = || -> io::Result<(String, Background)> {
        fs::create_dir_all(&dir)?;
        let log = diagnostics::background_stderr(&dir.join(SUPERVISOR_LOG))?;
        let mut supervisor = Command::new(std::env::current_exe()?);
        platform::in_background(&mut supervisor);
        diagnostics::pass_filter(&mut supervisor);
        let mut child = supervisor
            .arg("-C")
            .arg(&project.checkout.root)
            .arg(COMMAND)
            .args(options.to_arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| io::Error::other("it has no output"))?;
        let mut answers = BufReader::new(stdout);
        let mut first = String::new();
        answers.read_line(&mut first)?;
        Ok((first, Background { answers }))
    };
    let (first, mut background) = start().map_err(|error| {
        CommandError::new(
            ErrorCode::Failed,
            format!("cannot start the supervisor: {error}"),
        )
    })?;
    if first.trim() == SERVING {
        return Ok(background);
    }
    let mut text = first;
    let _ = background.answers.read_to_string(&mut text);
    match serde_json::from_str::<ErrorBody>(&text) {
        Ok(body) => Err(body.error.into()),
        Err(_) => Err(CommandError::new(
            ErrorCode::Failed,
            "the supervisor ended before it could be reached",
        )
        .hint(format!(
            "`{}` may say why",
            dir.join(SUPERVISOR_LOG).display()
        ))),
    }
}

/// Prints what happens, in a thread of its own: a terminal that is stopped (Ctrl-S) or a reader
/// that is slow must not keep the supervisor from its work.
struct Screen {
    finished: mpsc::Receiver<()>,
}

impl Screen {
    fn start(
        mut events: broadcast::Receiver<Event>,
        services: Vec<String>,
        reporter: Arc<dyn Reporter>,
        deaf: oneshot::Sender<()>,
    ) -> Self {
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            let mut started = false;
            let mut warned = false;
            let mut deaf = Some(deaf);
            let progress = reporter.progress();
            loop {
                let mut reads = true;
                match events.blocking_recv() {
                    Ok(Event::Status(mut status)) => {
                        let ready = status.state == InstanceState::Ready;
                        // The very first status may have no services yet.
                        if !warned && !status.services.is_empty() {
                            warned = true;
                            progress.suspend(&mut || reporter.port_warnings(&status));
                        }
                        if ready && !started {
                            started = true;
                            progress.finish();
                            if let Ok(runtime) = runtime() {
                                runtime.block_on(client::add_urls(&mut status));
                            }
                            reporter.ready(&status, true);
                        } else if !started {
                            progress.status(&status);
                        }
                    }
                    Ok(Event::Log(record)) => {
                        progress.suspend(&mut || reads = reporter.log(&services, &record));
                    }
                    Ok(Event::Notice(notice)) => {
                        if notice.level != NoticeLevel::Info || notice.service.is_none() {
                            progress.notice(&notice);
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        progress.line(&format!(
                            "… {missed} lines were too fast to show; `portway logs` has them"
                        ));
                    }
                    Err(broadcast::error::RecvError::Closed) => break,
                }
                if !reads && let Some(deaf) = deaf.take() {
                    let _ = deaf.send(());
                }
            }
            progress.finish();
            let _ = done.send(());
        });
        Self { finished }
    }

    /// Waits for what is still to be printed.
    fn finish(self) {
        let _ = self.finished.recv_timeout(LAST_OUTPUT);
    }
}

/// Of `services` those that rest in a running instance, with the moment since when.
fn at_rest(
    status: &InstanceStatus,
    services: &[String],
) -> Result<HashMap<String, Option<u64>>, CommandError> {
    let mut at_rest = HashMap::new();
    for name in services {
        let service = status.service(name);
        let service = service.ok_or_else(|| allocation::changed(name))?;
        if matches!(service.state, ServiceState::Stopped | ServiceState::Failed) {
            at_rest.insert(name.clone(), service.since);
        }
    }
    Ok(at_rest)
}

/// Follows an instance that somebody else supervises, or that was just started in the background,
/// until it is ready. Returns false when it ended before it could be followed.
pub(super) fn attach(
    mut project: Project,
    options: &UpOptions,
    background: Option<Background>,
    reporter: &dyn Reporter,
) -> Result<bool, CommandError> {
    let services = project.closure(&options.services)?;
    runtime()?.block_on(async {
        let Some(events) = connection::events(&mut project).await? else {
            // It may have failed before it could be watched.
            return background
                .and_then(Background::failure)
                .map_or(Ok(false), Err);
        };
        let status = match attach::until_started(events, reporter).await {
            Ok(status) => status,
            Err(error) => return Err(background.and_then(Background::failure).unwrap_or(error)),
        };
        let at_rest = at_rest(&status, &services)?;
        let Some(mut events) = connection::events(&mut project).await? else {
            return Ok(false);
        };
        if !at_rest.is_empty() {
            let names: Vec<String> = at_rest.keys().cloned().collect();
            connection::ask(&project.client(), "start", &names).await?;
        }
        let mut status = attach::until_ready(&mut events, &services, &at_rest).await?;
        client::add_urls(&mut status).await;
        reporter.ready(&status, false);
        Ok(true)
    })
}
