//! `portway restart`: restart services on their ports.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::instance;
use portway_app::reporter::Reporter;

use super::candidates;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway restart
      Restart all services in order
  portway restart backend
      Restart one service; it keeps its port")]
pub(crate) struct RestartArgs {
    /// Services to restart [default: all]
    #[arg(value_name = "SERVICE", add = candidates::services())]
    pub(crate) services: Vec<String>,
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: &RestartArgs,
    reporter: &dyn Reporter,
) -> Result<u8, CommandError> {
    let status = instance::restart(directory, &args.services, reporter)?;
    ui::summary(&status);
    Ok(0)
}
