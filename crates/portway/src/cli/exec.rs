//! `portway exec -- CMD`: any command with the wiring, under held ports.

use std::io;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use portway_api::ErrorCode;
use tokio::process::Command;

use crate::allocation::{self, Keep};
use crate::args::Choice;
use crate::error::CommandError;
use crate::follow::runtime;
use crate::platform::{Signals, exit_code};
use crate::project::Project;

/// How long what the command leaves behind may take to end.
const LEFTOVERS: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway exec -- npm test
  portway exec --service backend -- .venv/bin/alembic upgrade head")]
pub(crate) struct Exec {
    /// Run it as this service: with its own PORT and variables
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

pub(crate) fn run(directory: Option<&Path>, args: &Exec) -> Result<u8, CommandError> {
    let mut project = Project::open(directory, &args.choice)?;
    if let Some(service) = &args.service {
        project.known(service)?;
    }
    let id = project.instance.id.clone();
    // While the command runs, the instance's leases are live.
    let _lock = project.registry.lock_as_user(&id)?;
    // Soft: the command may be a server itself.
    let allocation = allocation::current_or_new(&mut project, &args.choice, Keep::Soft)?;
    let variables = match &args.service {
        Some(service) => &allocation.wiring.services[service].env,
        None => &allocation.wiring.shared,
    };
    let (program, arguments) = args
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
                    portway_supervisor::end_descendants(LEFTOVERS).await;
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
