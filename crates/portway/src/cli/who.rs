//! `portway who`: show which process uses a port.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::inspect;
use portway_app::reporter::Reporter;

use super::candidates;
use super::values::port;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway who 9000
      Show the process that is using port 9000
  portway who 9000 5173
      Show several ports
  portway who
      List all listening ports and those held by running instances
  portway who 9000 --json
      Print the result for programs

This command shows listening sockets, not outgoing connections that use the same port number.")]
pub(crate) struct Who {
    /// Ports to show [default: all that are in use]
    #[arg(value_name = "PORT", value_parser = port, add = candidates::ports())]
    pub(crate) ports: Vec<u16>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Who, reporter: &dyn Reporter) -> Result<u8, CommandError> {
    let reports = inspect::ports(&args.ports, reporter)?;
    if args.json {
        ui::json(&reports);
    } else if args.ports.is_empty() {
        ui::port_table(&reports, portway_app::now());
    } else {
        ui::ports(&reports, portway_app::now());
    }
    Ok(0)
}
