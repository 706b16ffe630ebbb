//! `portway detect`: allocate ports and write `.ports.json` without starting anything.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::wiring;

use super::selection::SelectionArgs;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway detect
      Allocate ports and write `.ports.json`
  portway detect --port backend=9005
      Require a port for a service
  portway detect --json
      Print the result for programs")]
pub(crate) struct Detect {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Detect) -> Result<u8, CommandError> {
    let status = wiring::detect(directory, &args.selection.to_selection())?;
    ui::port_warnings(&status);
    if args.json {
        ui::json(&status);
    } else {
        ui::allocation(&status);
    }
    Ok(0)
}
