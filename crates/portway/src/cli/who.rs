//! `portway who`: show which process uses a port.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::inspect;
use portway_app::reporter::Reporter;

use super::values::port;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway who 9000          everything about one port
  portway who 9000 5173     about several
  portway who               all that listen, and all that running instances hold
  portway who 9000 --json   for programs
Only listening sockets count, never a client whose own port happens to be the same.")]
pub(crate) struct Who {
    /// Ports; everything that listens where none is named
    #[arg(value_name = "PORT", value_parser = port)]
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
