//! Runs a command with the variables of a checkout while Portway holds its ports.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use indexmap::IndexMap;
use portway_api::ErrorCode;
use portway_isolation::Namespace;
use portway_supervisor::{ExitStatus, Foreground, ForegroundConfig};

use crate::allocation::{self, Keep};
use crate::error::CommandError;
use crate::instance::check_processes;
use crate::instance::connection::{self, Supervised};
use crate::instance::remnants::stuck_error;
use crate::options::Selection;
use crate::platform::{Signals, StopRequest};
use crate::project::LoadedProject;
use crate::runtime::runtime;
use crate::wiring::running_variables;

/// How long the remaining descendants of the command may take to exit.
const DESCENDANTS_TIMEOUT: Duration = Duration::from_secs(2);

/// Options of `portway exec`.
#[derive(Debug, Clone, Default)]
pub struct ExecOptions {
    /// The service whose variables the command receives; `None` for the shared variables.
    pub service: Option<String>,
    /// The enabled optional services and the required ports.
    pub selection: Selection,
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Variables in addition to those of the checkout.
    pub env: IndexMap<String, String>,
}

/// Runs a command with the variables of this checkout while its ports are held. Returns the exit
/// code of the command.
///
/// # Errors
/// When the project cannot be used, no port is available, or the command cannot be run.
pub fn exec(directory: Option<&Path>, options: &ExecOptions) -> Result<u8, CommandError> {
    check_processes()?;
    let loaded = LoadedProject::load(directory, &options.selection)?;
    let service = options.service.as_deref();
    // The ports of an instance that runs under another id are not this checkout's own.
    let running = match loaded.has_running()? && options.selection.is_empty() {
        true => runtime()?.block_on(connection::environment(&loaded))?,
        false => None,
    };
    let running = running.and_then(|running| running_variables(running, service));
    if let (None, Some(service)) = (&running, service) {
        loaded.project.known(service)?;
    }
    let namespace = match &running {
        Some(_) => runtime()?.block_on(namespace(&loaded))?,
        None => None,
    };
    let mut registered = loaded.register()?;
    let id = registered.instance.id.clone();
    // The leases of the instance are live while the lock is held.
    let _lock = registered.registry.lock_as_user(&id)?;
    let (variables, _holds) = match running {
        Some(variables) => (variables, Vec::new()),
        None => {
            registered.project.print_invalid_lines(service);
            // Soft holds, because the command may be a server that binds one of the ports.
            let mut allocation =
                allocation::current_or_new(&mut registered, &options.selection, Keep::Soft)?;
            registered.remember_options()?;
            let variables = match service {
                Some(service) => std::mem::take(&mut allocation.wiring.services[service].env),
                None => allocation.wiring.shared,
            };
            (variables, allocation.holds)
        }
    };
    let mut variables = variables;
    variables.extend(options.env.clone());
    let program = options
        .command
        .first()
        .ok_or_else(|| CommandError::new(ErrorCode::Usage, "no command is given"))?;
    let config = ForegroundConfig {
        command: options.command.clone(),
        env: variables,
        grace: DESCENDANTS_TIMEOUT,
        instance_dir: registered.dir(),
        namespace,
    };
    let exit = runtime()?.block_on(async {
        // Before the command starts, so that no signal stops only this process.
        let mut signals = Signals::register()?;
        let mut foreground = Foreground::start(config)?;
        // This process may be process 1 of a container.
        tokio::spawn(portway_supervisor::reap_orphans());
        loop {
            let signal = tokio::select! {
                exit = foreground.wait() => return exit,
                signal = signals.next() => signal,
            };
            match signal {
                // The terminal has sent it to the command too.
                StopRequest::Interrupt => {}
                StopRequest::Terminate => foreground.terminate(),
                StopRequest::HangUp => foreground.hang_up(),
            }
        }
    });
    let exit = exit.map_err(|error| CommandError::cannot_run(program.display(), error))?;
    if !exit.stuck.is_empty() {
        return Err(stuck_error(&exit.stuck));
    }
    Ok(exit_code(exit.status))
}

/// Opens the network of the running instance, if it has one of its own.
async fn namespace(instance: &impl Supervised) -> Result<Option<Namespace>, CommandError> {
    let status = connection::status(instance).await?;
    let Some(network) = status.and_then(|status| status.network) else {
        return Ok(None);
    };
    Namespace::of_process(network.pid).map_err(|error| {
        CommandError::new(
            ErrorCode::Failed,
            "cannot enter the network of this checkout",
        )
        .caused_by(error)
        .hint("run `portway restart`, or `portway down` and `portway up`")
    })
}

/// Returns the exit code of a command, or 128 plus the number of the signal that ended it, as shells do.
fn exit_code(status: ExitStatus) -> u8 {
    let code = match status {
        ExitStatus::Code(code) => code,
        ExitStatus::Signal(number) => 128 + number,
    };
    u8::try_from(code).unwrap_or(1)
}
