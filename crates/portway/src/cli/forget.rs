//! `portway forget PORT`: release leases.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::leases;

use super::candidates;
use super::values::port;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway forget 9001
      Release the lease of port 9001
  portway forget 9001 5174
      Release several leases

Portway chooses a new port when the service starts again. Portway does not release leases \
of running instances; run `portway down` first.")]
pub(crate) struct Forget {
    /// Ports to release
    #[arg(required = true, value_name = "PORT", value_parser = port, add = candidates::ports())]
    pub(crate) ports: Vec<u16>,
    /// Print the released leases as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Forget) -> Result<u8, CommandError> {
    let entries = leases::forget(&args.ports)?;
    if args.json {
        ui::json(&entries);
    } else {
        ui::released_leases(&entries);
    }
    Ok(0)
}
