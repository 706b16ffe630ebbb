//! `portway leases`: list every lease.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::leases;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway leases
      List all leases
  portway forget 9001
      Release one
  portway prune
      Release those whose directory is gone

States: live (the instance is running), kept (it is stopped), gone (its directory was deleted).")]
pub(crate) struct Leases {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Leases) -> Result<u8, CommandError> {
    let entries = leases::list()?;
    if args.json {
        ui::json(&entries);
    } else if entries.is_empty() {
        ui::message("no leases; `portway detect` and `portway up` create them\n");
    } else {
        ui::leases(&entries, portway_app::now());
    }
    Ok(0)
}
