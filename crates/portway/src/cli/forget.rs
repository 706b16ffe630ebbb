//! `portway forget PORT`: give up leases.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::leases;

use super::values::port;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway forget 9001         the service gets another port, or this one, the next time
  portway forget 9001 5174
A lease of an instance that runs is not given up: `portway down` first.")]
pub(crate) struct Forget {
    /// The ports
    #[arg(required = true, value_name = "PORT", value_parser = port)]
    pub(crate) ports: Vec<u16>,
    /// Print what was given up as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Forget) -> Result<u8, CommandError> {
    let entries = leases::forget(&args.ports)?;
    if args.json {
        ui::json(&entries);
    } else {
        ui::forgotten(&entries);
    }
    Ok(0)
}
