//! `portway leases`: list every lease.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::leases;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway leases           live: runs; kept: does not run; gone: its directory is no more
  portway forget 9001      gives one up
  portway prune            drops those that are gone")]
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
        ui::talk("there is no lease yet; `portway detect` and `portway up` make them\n");
    } else {
        ui::leases(&entries, portway_app::now());
    }
    Ok(0)
}
