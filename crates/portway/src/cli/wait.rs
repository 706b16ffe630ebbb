//! `portway wait`: wait until services are ready.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::instance;
use portway_app::reporter::Reporter;

use super::candidates;
use super::values::duration;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway wait
      Wait until all started services are ready
  portway wait backend --timeout 10s
      Wait at most 10 seconds for one service

The exit code is 124 after the timeout and 5 if a service failed.")]
pub(crate) struct Wait {
    /// Services to wait for [default: all that were started]
    #[arg(value_name = "SERVICE", add = candidates::services())]
    pub(crate) services: Vec<String>,
    /// Maximum time to wait
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
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
