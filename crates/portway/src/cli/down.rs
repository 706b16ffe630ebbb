//! `portway down`: stop the services of a checkout.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::instance::{self, Down};
use portway_app::reporter::Reporter;

use super::candidates;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway down
      Stop all services of this checkout, in reverse order
  portway down frontend
      Stop one service
  portway -C ../other down
      Stop the services of another checkout")]
pub(crate) struct DownArgs {
    /// Services to stop [default: all]
    #[arg(value_name = "SERVICE", add = candidates::services())]
    pub(crate) services: Vec<String>,
    /// Kill the processes at once, without a grace period
    #[arg(long, conflicts_with = "services")]
    pub(crate) now: bool,
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: &DownArgs,
    reporter: &dyn Reporter,
) -> Result<u8, CommandError> {
    match instance::down(directory, &args.services, args.now, reporter)? {
        Down::Instance(name) => ui::message(&format!("stopped `{name}`\n")),
        Down::Services { stopped, idle } => {
            let names = |services: &[String]| format!("`{}`", services.join("`, `"));
            if !stopped.is_empty() {
                ui::message(&format!("stopped {}\n", names(&stopped)));
            }
            if !idle.is_empty() {
                let verb = if idle.len() == 1 { "was" } else { "were" };
                ui::message(&format!("{} {verb} not running\n", names(&idle)));
            }
        }
        Down::NothingRunning => ui::message("no services of this checkout are running\n"),
    }
    Ok(0)
}
