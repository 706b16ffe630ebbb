//! `portway ps`: list all instances of the machine.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::instance;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway ps                               every instance of this machine
  portway ps --json | jq '.[].services'    for programs")]
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
        ui::talk("there is no instance yet; `portway up` starts one\n");
    } else {
        ui::instances(&instances, portway_app::now());
    }
    Ok(0)
}
