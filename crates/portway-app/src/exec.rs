//! Runs a command with the variables of a checkout while Portway holds its ports.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Duration;

use portway_api::ErrorCode;
use tokio::process::Command;

use crate::allocation::{self, Keep};
use crate::error::CommandError;
use crate::options::Selection;
use crate::platform::{Signals, exit_code};
use crate::project::LoadedProject;
use crate::runtime::runtime;

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
}

/// Runs a command with the variables of this checkout while its ports are held. Returns the exit
/// code of the command.
///
/// # Errors
/// When the project cannot be used, no port is available, or the command cannot be run.
pub fn exec(directory: Option<&Path>, options: &ExecOptions) -> Result<u8, CommandError> {
    let loaded = LoadedProject::load(directory, &options.selection)?;
    if let Some(service) = &options.service {
        loaded.project.known(service)?;
    }
    // The ports of an instance that runs under another id are not this checkout's own.
    loaded.has_running()?;
    let mut registered = loaded.register()?;
    let id = registered.instance.id.clone();
    // The leases of the instance are live while the lock is held.
    let _lock = registered.registry.lock_as_user(&id)?;
    // Soft holds, because the command may be a server that binds one of the ports.
    let allocation = allocation::current_or_new(&mut registered, &options.selection, Keep::Soft)?;
    let variables = match &options.service {
        Some(service) => &allocation.wiring.services[service].env,
        None => &allocation.wiring.shared,
    };
    let (program, arguments) = options
        .command
        .split_first()
        .ok_or_else(|| CommandError::new(ErrorCode::Usage, "no command is given"))?;
    let status = runtime()?.block_on(async {
        let mut command = Command::new(program);
        command.args(arguments).envs(variables);
        // Before the command starts, so that no signal stops only this process.
        let mut signals = Signals::register()?;
        // Orphaned descendants of the command become children of this process, which stops them.
        portway_supervisor::become_reaper()?;
        let mut child = command.spawn()?;
        let pid = child.id();
        loop {
            tokio::select! {
                status = child.wait() => {
                    portway_supervisor::stop_descendants(DESCENDANTS_TIMEOUT).await;
                    return status;
                }
                () = signals.forward_next(pid) => {}
            }
        }
    });
    let status = status.map_err(|error: io::Error| {
        let message = format!("cannot run `{}`", program.display());
        CommandError::new(ErrorCode::MissingRequirement, message).caused_by(error)
    })?;
    Ok(exit_code(status))
}
