//! `portway doctor`: find out why services cannot reach each other.

use std::path::Path;

use clap::Args;
use portway_app::doctor;
use portway_app::error::CommandError;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway doctor
      Check ports, `.ports.json`, CORS, proxies and names
  portway doctor --fix
      Also rewrite `.ports.json` and release stale leases
  portway doctor --json
      Print the findings for programs

Without `--fix`, this command changes nothing. With `--fix`, it edits no source files and stops no \
processes. The exit code is 1 if there is an error; warnings do not count.")]
pub(crate) struct Doctor {
    /// Fix what can be fixed safely
    #[arg(long)]
    pub(crate) fix: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Doctor) -> Result<u8, CommandError> {
    let diagnosis = doctor::examine(directory, args.fix)?;
    if args.json {
        ui::json(&diagnosis);
    } else {
        ui::diagnosis(&diagnosis);
    }
    Ok(u8::from(!diagnosis.healthy))
}
