//! Runs the supervisor of an instance, in the foreground or in the background for `--detach`.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use portway_api::{ErrorBody, ErrorCode, FailureReason, InstanceStatus, ServiceStatus};
use portway_project::policy::Isolation;
use portway_registry::{InstanceLock, Registry};
use portway_supervisor::{Config, Handle, LanConfig, Outcome, Request, Supervisor, control};
use tokio::sync::oneshot;

use super::apply::{Applied, planner};
use super::attach;
use super::connection::{Supervised, not_running};
use super::host::ProjectHost;
use super::printer::{EventPrinter, report_failures};
use super::remember;
use super::restore::Presence;
use super::sources::Sources;
use crate::allocation::{self, Keep};
use crate::diagnostics::{self, SUPERVISOR_LOG};
use crate::dirs;
use crate::error::CommandError;
use crate::isolation;
use crate::options::UpOptions;
use crate::platform;
use crate::project::{LoadedProject, RegisteredProject};
use crate::reporter::Reporter;
use crate::runtime::runtime;
use crate::unset;

/// The hidden command that runs the supervisor in the background.
pub const COMMAND: &str = "__supervise";

/// The line that a background supervisor prints on its standard output when it can be reached.
pub const SERVING: &str = "serving";

/// Supervises the instance in this process until it stops.
fn run(
    registered: RegisteredProject,
    lock: InstanceLock,
    options: &UpOptions,
    foreground: Option<&Arc<dyn Reporter>>,
    on_serving: impl FnOnce(),
) -> Result<(), CommandError> {
    let root = registered.project.checkout.root.clone();
    let (outcome, reported) =
        run_until_end(registered, lock, options, foreground, on_serving, |_| false)?;
    match outcome {
        Outcome::Stopped => Ok(()),
        Outcome::Signal(number) => Err(CommandError::signal(number)),
        Outcome::Failed(failed) => {
            let error = attach::services_failed(&failed, false);
            let Some(reporter) = foreground else {
                // The command that reads this error does not know the reasons.
                return Err(unset::with_hints(error, &root, &options.selection));
            };
            let mut reported = reported.unwrap_or_default();
            report_failures(reporter, reported.update(&failed));
            Err(error.reported())
        }
    }
}

/// Supervises the instance until it stops. The lock marks its leases as live. Returns how it ended and, in the
/// foreground, which failures were reported, except those that are expected.
fn run_until_end(
    mut registered: RegisteredProject,
    lock: InstanceLock,
    options: &UpOptions,
    foreground: Option<&Arc<dyn Reporter>>,
    on_serving: impl FnOnce(),
    is_expected: fn(&ServiceStatus) -> bool,
) -> Result<(Outcome, Option<attach::Failures>), CommandError> {
    diagnostics::log_to(&registered.dir().join(SUPERVISOR_LOG));
    portway_supervisor::raise_open_files_limit();
    let presence = Presence::new(&registered, lock);
    // Before the `env_file`s are used, so that no later change is missed.
    let sources = Sources::read(&registered.project);
    let services = registered.project.closure(&options.services)?;
    registered.project.lan = options.lan;
    if options.isolate {
        registered.project.plan.isolation = Isolation::Network;
    }
    let network = match options.enters {
        Some(pid) => isolation::join(&registered.project.plan, pid),
        None => isolation::create(&registered.project.plan),
    };
    registered.project.is_isolated = network.is_some();
    if options.prepare {
        let id = &registered.instance.id;
        registered.registry.forget_prepared(id, &services)?;
    }
    let allocation = allocation::allocate(&mut registered, &options.selection, Keep::Hard)?;
    let allocation = allocation.ok_or_else(not_running)?;
    let displaced = allocation::displaced(&mut registered, &allocation)?;
    let dir = registered.dir();
    let logs = registered.logs();
    let mut restorer = presence.restorer(&mut registered, dirs::state_dir()?)?;
    if let Some(network) = &network {
        restorer.set_inner_network(network.network.id());
    }
    let names: Vec<String> = registered.project.plan.services.keys().cloned().collect();
    let manifest = Arc::new(Mutex::new(registered.project.source.text.clone()));
    let applied = Applied {
        root: registered.project.checkout.root.clone(),
        lan: options.lan,
        is_isolated: registered.project.is_isolated,
        recorded: restorer.recorded.clone(),
        sources: Arc::new(Mutex::new(sources)),
        manifest: manifest.clone(),
    };
    let checked = applied.clone();
    let remembered = registered.remembered.clone();
    let config = Config {
        id: registered.instance.id.clone(),
        name: registered.instance.name.clone(),
        directory: registered.project.checkout.root.display().to_string(),
        branch: registered.instance.branch.clone(),
        plan: registered.project.plan.clone(),
        ports: allocation.ports.clone(),
        wiring: allocation.wiring,
        displaced,
        warnings: allocation.warnings,
        holds: allocation.holds,
        services,
        logs,
        log_size: registered.project.preferences.log_size(),
        socket: dir.join(control::SOCKET),
        abort_on_failure: options.abort_on_failure || registered.project.plan.abort_on_failure,
        lan: on_lan(&registered),
        network,
        is_foreground: foreground.is_some(),
        color: foreground.is_some_and(|reporter| reporter.is_colored()),
        host: Box::new(ProjectHost {
            registered,
            ports: allocation.ports,
            planner: planner(applied),
        }),
        changed_files: Arc::new(move || checked.changed_files()),
        upkeep: Box::new(move |status| restorer.check(status)),
        manifest,
    };
    let runtime = runtime()?;
    let failed = |error: io::Error| {
        CommandError::file("use", &dir, error).hint("make the directory writable")
    };
    let (outcome, printer) = runtime.block_on(async {
        let (supervisor, handle) = Supervisor::new(config).map_err(failed)?;
        if foreground.is_some() {
            tokio::spawn(remember::when_ready(
                dir.clone(),
                remembered,
                handle.status_changes(),
            ));
        }
        let printer = foreground.map(|reporter| {
            let (reader_gone, on_reader_gone) = oneshot::channel();
            let printer =
                EventPrinter::start(&handle, names, reporter.clone(), reader_gone, is_expected);
            // A handle in the printer would keep the events open, so the printer would never
            // finish. This task is dropped with the runtime.
            let handle = handle.clone();
            tokio::spawn(async move {
                if on_reader_gone.await.is_ok() {
                    handle.send(Request::Stop(Vec::new()));
                }
            });
            printer
        });
        if foreground.is_none() {
            close_stdout_when_started(&handle);
        }
        let outcome = supervisor.run(handle, on_serving).await.map_err(failed)?;
        Ok::<_, CommandError>((outcome, printer))
    })?;
    // Dropping the runtime drops the last sender of events, which ends the printer.
    drop(runtime);
    let reported = printer.map(EventPrinter::finish);
    drop(presence);
    Ok((outcome, reported))
}

/// Returns the configuration for the local network, if services are published there.
fn on_lan(registered: &RegisteredProject) -> Option<LanConfig> {
    let project = &registered.project;
    let services = project.plan.published_on_lan(project.lan);
    let instance = &registered.instance.name;
    (!services.is_empty()).then(|| LanConfig {
        services,
        host: portway_lan::host_name(instance),
        instance: instance.clone(),
        project: registered.project.plan.project.clone(),
    })
}

/// Locks an instance as its supervisor; `None` if it has one, even if that one's lock was deleted.
fn lock(registered: &mut RegisteredProject) -> Result<Option<InstanceLock>, CommandError> {
    if registered.is_supervised() {
        return Ok(None);
    }
    let id = registered.instance.id.clone();
    Ok(registered.registry.lock_as_supervisor(&id)?)
}

/// Supervises in the foreground until the instance stops. Returns false if another process supervises it.
pub(super) fn foreground(
    mut registered: RegisteredProject,
    options: &UpOptions,
    reporter: &Arc<dyn Reporter>,
) -> Result<bool, CommandError> {
    match lock(&mut registered)? {
        Some(lock) => run(registered, lock, options, Some(reporter), || {}).map(|()| true),
        None => Ok(false),
    }
}

/// Supervises the only service of an instance in the foreground until it exits. Returns its exit code; `None`
/// if another process supervises the instance.
pub(crate) fn command(
    mut registered: RegisteredProject,
    options: &UpOptions,
    reporter: &Arc<dyn Reporter>,
) -> Result<Option<u8>, CommandError> {
    let Some(lock) = lock(&mut registered)? else {
        return Ok(None);
    };
    let (outcome, reported) = run_until_end(
        registered,
        lock,
        options,
        Some(reporter),
        || {},
        |service| code_of(service).is_some(),
    )?;
    match outcome {
        Outcome::Stopped => Ok(Some(0)),
        Outcome::Signal(number) => Err(CommandError::signal(number)),
        Outcome::Failed(failed) => {
            // The command has said why it failed.
            if let Some(code) = failed.first().and_then(code_of) {
                return Ok(Some(code));
            }
            let mut reported = reported.unwrap_or_default();
            report_failures(reporter, reported.update(&failed));
            Err(attach::services_failed(&failed, false).reported())
        }
    }
}

fn code_of(service: &ServiceStatus) -> Option<u8> {
    service.reason.as_ref().and_then(exit_code)
}

/// Returns the exit code of a command that ended for this reason, as shells do. `None` if it did not run.
fn exit_code(reason: &FailureReason) -> Option<u8> {
    let code = match reason {
        FailureReason::Exited { code, .. } | FailureReason::FileMissing { code, .. } => *code,
        FailureReason::Signaled { signal } => 128 + signal,
        FailureReason::CommandNotFound | FailureReason::ProgramNotFound { .. } => 127,
        FailureReason::CommandNotExecutable => 126,
        FailureReason::ExitedBeforeListening => 0,
        _ => return None,
    };
    u8::try_from(code).ok().or(Some(1))
}

/// The hidden command [`COMMAND`]: supervises in the background.
///
/// The process that started this one reads its standard output. The caller prints [`SERVING`] there
/// when `on_serving` is called, or the error as JSON.
///
/// # Errors
/// If the project cannot be used, a port is not available, or a service fails.
pub fn background(
    directory: Option<&Path>,
    options: &UpOptions,
    on_serving: impl FnOnce(),
) -> Result<(), CommandError> {
    platform::leave_terminal();
    let mut registered = LoadedProject::load(directory, &options.selection)?.register()?;
    match lock(&mut registered)? {
        Some(lock) => run(registered, lock, options, None, on_serving),
        None => {
            on_serving();
            Ok(())
        }
    }
}

/// Closes the pipe to the parent process once all services are ready.
fn close_stdout_when_started(handle: &Handle) {
    let mut status = handle.status_changes();
    tokio::spawn(async move {
        let is_started = |status: &InstanceStatus| attach::is_started(status.state);
        if status.wait_for(is_started).await.is_ok() {
            platform::close_stdout();
        }
    });
}

/// A supervisor in the background. Until its services are ready, it reports errors through a pipe.
pub(super) struct Background {
    output: BufReader<ChildStdout>,
}

impl Background {
    /// Reads the error that it reported, if any.
    pub(super) fn failure(mut self) -> Option<CommandError> {
        let mut text = String::new();
        self.output.read_to_string(&mut text).ok()?;
        let body: ErrorBody = serde_json::from_str(&text).ok()?;
        Some(body.error.into())
    }
}

/// Starts a supervisor in the background and returns when it can be reached.
pub(super) fn detach(
    registered: &RegisteredProject,
    options: &UpOptions,
) -> Result<Background, CommandError> {
    let dir = registered.dir();
    let start = || -> io::Result<(String, Background)> {
        fs::create_dir_all(&dir)?;
        let log = diagnostics::background_stderr(&dir.join(SUPERVISOR_LOG))?;
        let mut supervisor = Command::new(std::env::current_exe()?);
        platform::in_background(&mut supervisor);
        diagnostics::pass_filter(&mut supervisor);
        let mut child = supervisor
            .arg("-C")
            .arg(&registered.project.checkout.root)
            .arg(COMMAND)
            .args(options.to_arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| io::Error::other("the process has no output"))?;
        let mut output = BufReader::new(stdout);
        let mut first = String::new();
        output.read_line(&mut first)?;
        Ok((first, Background { output }))
    };
    let (first, mut background) = start().map_err(|error| {
        CommandError::new(ErrorCode::Failed, "cannot start the supervisor").caused_by(error)
    })?;
    if first.trim() == SERVING {
        return Ok(background);
    }
    let mut text = first;
    // An incomplete text is reported below.
    let _ = background.output.read_to_string(&mut text);
    match serde_json::from_str::<ErrorBody>(&text) {
        Ok(body) => Err(body.error.into()),
        Err(_) => Err(CommandError::new(
            ErrorCode::Failed,
            "the supervisor exited before it responded",
        )
        .hint(format!(
            "see its log: `{}`",
            dir.join(SUPERVISOR_LOG).display()
        ))),
    }
}
