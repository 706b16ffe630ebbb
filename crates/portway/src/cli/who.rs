//! `portway who`: who has a port, and what that is.

use clap::Args;

use crate::args::port;
use crate::error::CommandError;
use crate::inspect::{self, Known};
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

pub(crate) fn run(args: &Who) -> Result<u8, CommandError> {
    let known = Known::read();
    let reports = inspect::report(&args.ports, &known)?;
    if let Some(trouble) = &known.trouble {
        ui::warning(&format!(
            "nothing is known of Portway's own ports: {}",
            trouble.info.message
        ));
    }
    if args.json {
        ui::json(&reports);
    } else if args.ports.is_empty() {
        ui::port_table(&reports, portway_supervisor::now());
    } else {
        ui::ports(&reports, portway_supervisor::now());
    }
    Ok(0)
}
