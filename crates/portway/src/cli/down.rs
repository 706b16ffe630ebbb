//! `portway down`: stop the services of a checkout.

use std::path::Path;

use clap::Args;
use portway_api::ErrorCode;

use crate::args::Choice;
use crate::error::CommandError;
use crate::follow::{self, runtime};
use crate::project::Project;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway down              stop this checkout's services, the last started first
  portway down frontend     stop one and leave the others running
  portway -C ../other down  stop another checkout's")]
pub(crate) struct Down {
    /// Services; the whole instance where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Kill at once, without grace
    #[arg(long, conflicts_with = "services")]
    pub(crate) now: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Down) -> Result<u8, CommandError> {
    let mut project = Project::open(directory, &Choice::default())?;
    for name in &args.services {
        project.known(name)?;
    }
    runtime()?.block_on(async {
        let Some(events) = follow::events(&mut project).await? else {
            ui::talk("nothing of this checkout runs\n");
            return Ok(0);
        };
        let verb = if args.now { "kill" } else { "stop" };
        match follow::ask(&project.client(), verb, &args.services).await {
            // It is ending already, and does not listen any more.
            Err(error) if error.info.code == ErrorCode::NotRunning => {}
            other => other?,
        }
        if args.services.is_empty() {
            follow::until_stopped(&mut project, events).await?;
            ui::talk(&format!("{} is stopped\n", project.instance.name));
        } else {
            follow::until_at_rest(events, &args.services).await?;
        }
        Ok(0)
    })
}
