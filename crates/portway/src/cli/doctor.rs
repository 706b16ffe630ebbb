//! `portway doctor`: why services do not communicate.

use std::path::Path;

use clap::Args;
use portway_app::doctor;
use portway_app::error::CommandError;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway doctor           looks at everything that services need to reach each other
  portway doctor --fix     mends what is safe: `.ports.json`, leases of vanished directories
  portway doctor --json    for programs
Without --fix nothing is changed, chosen or started; with it no source is edited and nothing is
ended. Exits with 1 when something is wrong; warnings do not count.")]
pub(crate) struct Doctor {
    /// Mend what is safe to mend
    #[arg(long)]
    pub(crate) fix: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Doctor) -> Result<u8, CommandError> {
    let diagnosis = doctor::examine(directory, args.fix)?;
    if args.json {
        ui::json(&diagnosis);
    } else {
        ui::diagnosis(&diagnosis);
    }
    Ok(u8::from(!diagnosis.healthy))
}
