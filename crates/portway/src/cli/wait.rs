//! `portway wait`: wait until services are ready.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::instance;
use portway_app::reporter::Reporter;

use super::values::span;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway wait                       until everything that was started is ready
  portway wait backend --timeout 10s
Exits with 124 when the time is over, and with 5 when a service has failed.")]
pub(crate) struct Wait {
    /// Services; all that were started where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = span)]
    pub(crate) timeout: Duration,
    /// Print the status as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: &Wait,
    reporter: &dyn Reporter,
) -> Result<u8, CommandError> {
    let status = instance::wait(directory, &args.services, args.timeout, reporter)?;
    if args.json {
        ui::json(&status);
    } else {
        ui::summary(&status);
    }
    Ok(0)
}
