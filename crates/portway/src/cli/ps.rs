//! `portway ps`: list all instances on this machine.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::instance;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway ps
      List instances with their services and URLs
  portway ps --json | jq '.[].services'
      Process the list in a script")]
pub(crate) struct Ps {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Ps) -> Result<u8, CommandError> {
    let instances = instance::list()?;
    if args.json {
        ui::json(&instances);
    } else if instances.is_empty() {
        ui::message("no instances; run `portway up` in a checkout to start one\n");
    } else {
        ui::instances(&instances, portway_app::now());
    }
    Ok(0)
}
