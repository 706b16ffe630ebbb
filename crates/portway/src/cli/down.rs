//! `portway down`: stop the services of a checkout.

use std::path::Path;

use clap::Args;

use crate::error::CommandError;
use crate::follow::{self, Supervised, runtime};
use crate::running::Running;
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
    let mut running = Running::open(directory)?;
    for name in &args.services {
        running.known(name)?;
    }
    runtime()?.block_on(async {
        if args.services.is_empty() {
            match follow::stop(&mut running, args.now).await? {
                true => ui::talk(&format!("{} is stopped\n", running.instance.name)),
                false => ui::talk(NOTHING),
            }
            return Ok(0);
        }
        let Some(events) = follow::events(&mut running).await? else {
            ui::talk(NOTHING);
            return Ok(0);
        };
        follow::ask_to_end(&running.client(), "stop", &args.services).await?;
        follow::until_at_rest(events, &args.services).await?;
        Ok(0)
    })
}

const NOTHING: &str = "nothing of this checkout runs\n";
