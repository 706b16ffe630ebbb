//! Being the supervisor of an instance: in the foreground, or in the background for `--detach`.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc;
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

use crate::allocation::{self, Keep};
use crate::args::Up;
use crate::error::CommandError;
use crate::follow::{self, Supervised, not_running, runtime};
use crate::gateway;
use crate::platform;
use crate::project::Project;
use crate::steward::ProjectSteward;
use crate::ui::{self, LogPrinter, Progress};

/// The hidden command that makes a background supervisor of the binary.
pub(crate) const COMMAND: &str = "__supervise";

/// What a background supervisor says on its standard output when it can be reached.
const SERVING: &str = "serving";

/// How long the last lines of the output may take when nobody reads them.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// Runs the instance in this process until it ends. The lock makes its leases live.
fn run(
    mut project: Project,
    lock: InstanceLock,
    args: &Up,
    background: bool,
    on_serving: impl FnOnce(),
) -> Result<u8, CommandError> {
    let services = project.closure(&args.services)?;
    project.lan = args.on_lan();
    let allocation = allocation::allocate(&mut project, &args.choice, Keep::Hard)?;
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
        run: services,
        logs: logs.clone(),
        log_size: project.preferences.log_size(),
        socket: dir.join(control::SOCKET),
        lan: on_lan(&project),
        foreground: !background,
        colour: !background && ui::stdout_is_coloured(),
        steward: Box::new(ProjectSteward {
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
        let screen = (!background).then(|| {
            let (deaf, on_deaf) = oneshot::channel();
            let screen = Screen::start(handle.events(), &names, args.json, deaf);
            // The handle stays within the runtime: a screen that had one would itself keep the
            // events from ending, which it waits for.
            let handle = handle.clone();
            tokio::spawn(async move {
                if on_deaf.await.is_ok() {
                    handle.ask(Request::Stop(Vec::new()));
                }
            });
            screen
        });
        if background {
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
        Outcome::Stopped => Ok(0),
        Outcome::Signal(number) => Err(CommandError::signal(number)),
        Outcome::Failed(failed) => {
            let code = FailureReason::error_code_of(failed.iter().map(|(_, reason)| reason));
            let words: Vec<String> = failed
                .iter()
                .map(|(service, why)| format!("`{service}` {why}"))
                .collect();
            let lines = last_lines(&logs, &failed[0].0);
            let error = CommandError::new(code, words.join("; "));
            let error = if lines.is_empty() || !background {
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

/// `portway up` in the foreground; `None` when somebody else supervises the instance already.
pub(crate) fn foreground(mut project: Project, args: &Up) -> Result<Option<u8>, CommandError> {
    let id = project.instance.id.clone();
    match project.registry.lock_as_supervisor(&id)? {
        Some(lock) => run(project, lock, args, false, || {}).map(Some),
        None => Ok(None),
    }
}

/// The hidden command: supervises in the background. Whoever started it reads one line from its
/// standard output, or an error as JSON.
pub(crate) fn background(directory: Option<&Path>, args: &Up) -> Result<u8, CommandError> {
    platform::leave_terminal();
    let serve = || {
        let mut project = Project::open(directory, &args.choice)?;
        let id = project.instance.id.clone();
        match project.registry.lock_as_supervisor(&id)? {
            Some(lock) => run(project, lock, args, true, say_serving),
            None => {
                say_serving();
                Ok(0)
            }
        }
    };
    serve().inspect_err(|error| {
        ui::json(&error.body());
    })
}

/// Tells whoever started this process that the instance can be reached.
fn say_serving() {
    ui::out(&format!("{SERVING}\n"));
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
        platform::let_go_of_stdout();
    });
}

/// A supervisor that was started in the background. Until its services are ready it tells through
/// a pipe why they are not.
pub(crate) struct Background {
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
pub(crate) fn detach(project: &Project, args: &Up) -> Result<Background, CommandError> {
    let dir = project.dir();
    let start = || -> io::Result<(String, Background)> {
        fs::create_dir_all(&dir)?;
        let log = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(dir.join("supervisor.log"))?;
        let mut supervisor = Command::new(std::env::current_exe()?);
        platform::in_background(&mut supervisor);
        let mut child = supervisor
            .arg("-C")
            .arg(&project.checkout.root)
            .arg(COMMAND)
            .args(args.to_arguments())
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
            dir.join("supervisor.log").display()
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
        services: &[String],
        json: bool,
        deaf: oneshot::Sender<()>,
    ) -> Self {
        let printer = LogPrinter::new(services, false);
        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            let mut started = false;
            let mut warned = false;
            let mut deaf = Some(deaf);
            let progress = Progress::new();
            loop {
                let reads = match events.blocking_recv() {
                    Ok(Event::Status(mut status)) => {
                        let ready = status.state == InstanceState::Ready;
                        // The very first status may have no services yet.
                        if !warned && !status.services.is_empty() {
                            warned = true;
                            progress.suspend(|| ui::port_warnings(&status));
                        }
                        if ready && !started {
                            started = true;
                            progress.finish();
                            if let Ok(runtime) = runtime() {
                                runtime.block_on(gateway::tell(&mut status));
                            }
                            ui::lan_warning(&status);
                            if json {
                                ui::json(&status);
                            } else {
                                let name = &status.name;
                                ui::talk(&format!("{name} is ready; Ctrl-C stops it\n"));
                                ui::summary(&status);
                            }
                        } else if !started {
                            progress.show(&status);
                        }
                        true
                    }
                    // With JSON, standard output is for the status alone.
                    Ok(Event::Log(record)) => json || progress.suspend(|| printer.print(&record)),
                    Ok(Event::Notice(notice)) => {
                        if notice.level != NoticeLevel::Info || notice.service.is_none() {
                            progress.say(&ui::notice(&notice));
                        }
                        true
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        progress.say(&format!(
                            "… {missed} lines were too fast to show; `portway logs` has them"
                        ));
                        true
                    }
                    Err(broadcast::error::RecvError::Closed) => break,
                };
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
        let _ = io::stdout().flush();
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
/// until it is ready.
pub(crate) fn attach(
    mut project: Project,
    args: &Up,
    background: Option<Background>,
) -> Result<Option<u8>, CommandError> {
    let services = project.closure(&args.services)?;
    runtime()?.block_on(async {
        let Some(events) = follow::events(&mut project).await? else {
            // It may have failed before it could be watched.
            return background
                .and_then(Background::failure)
                .map_or(Ok(None), Err);
        };
        let status = match follow::until_started(events).await {
            Ok(status) => status,
            Err(error) => return Err(background.and_then(Background::failure).unwrap_or(error)),
        };
        let at_rest = at_rest(&status, &services)?;
        let Some(mut events) = follow::events(&mut project).await? else {
            return Ok(None);
        };
        if !at_rest.is_empty() {
            let names: Vec<String> = at_rest.keys().cloned().collect();
            follow::ask(&project.client(), "start", &names).await?;
        }
        let mut status = follow::until_ready(&mut events, &services, &at_rest).await?;
        gateway::tell(&mut status).await;
        ui::lan_warning(&status);
        if args.json {
            ui::json(&status);
        } else {
            ui::summary(&status);
        }
        Ok(Some(0))
    })
}
