//! Running any command with the wiring, under held ports.

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

/// How long what the command leaves behind may take to end.
const LEFTOVERS: Duration = Duration::from_secs(2);

/// Options of `portway exec`.
#[derive(Debug, Clone, Default)]
pub struct ExecOptions {
    /// The service whose variables the command gets; `None` for those that all services share.
    pub service: Option<String>,
    /// Which optional services are enabled, and which ports are required.
    pub selection: Selection,
    /// The command and its arguments.
    pub command: Vec<OsString>,
}

/// Runs a command with the variables of this checkout, under held ports. Returns its exit code.
///
/// # Errors
/// When the project cannot be used, a port cannot be had, or the command cannot be run.
pub fn exec(directory: Option<&Path>, options: &ExecOptions) -> Result<u8, CommandError> {
    let loaded = LoadedProject::load(directory, &options.selection)?;
    if let Some(service) = &options.service {
        loaded.project.known(service)?;
    }
    let mut registered = loaded.register()?;
    let id = registered.instance.id.clone();
    // While the command runs, the instance's leases are live.
    let _lock = registered.registry.lock_as_user(&id)?;
    // Soft: the command may be a server itself.
    let allocation = allocation::current_or_new(&mut registered, &options.selection, Keep::Soft)?;
    let variables = match &options.service {
        Some(service) => &allocation.wiring.services[service].env,
        None => &allocation.wiring.shared,
    };
    let (program, arguments) = options
        .command
        .split_first()
        .ok_or_else(|| CommandError::new(ErrorCode::Usage, "there is no command to run"))?;
    let status = runtime()?.block_on(async {
        let mut command = Command::new(program);
        command.args(arguments).envs(variables);
        // Listening before the command starts, so that no signal ends this process alone.
        let mut signals = Signals::catch()?;
        // What the command leaves behind falls to this process, and is ended with it.
        portway_supervisor::become_reaper()?;
        let mut child = command.spawn()?;
        let pid = child.id();
        loop {
            tokio::select! {
                status = child.wait() => {
                    portway_supervisor::stop_descendants(LEFTOVERS).await;
                    return status;
                }
                () = signals.pass_on(pid) => {}
            }
        }
    });
    let status = status.map_err(|error: io::Error| {
        let message = format!("cannot run `{}`: {error}", program.display());
        CommandError::new(ErrorCode::MissingRequirement, message)
    })?;
    Ok(exit_code(status))
}
