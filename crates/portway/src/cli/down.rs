//! `portway down`: stop the services of a checkout.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::instance::{self, Down};
use portway_app::reporter::Reporter;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway down              stop this checkout's services, the last started first
  portway down frontend     stop one and leave the others running
  portway -C ../other down  stop another checkout's")]
pub(crate) struct DownArgs {
    /// Services; the whole instance where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Kill at once, without grace
    #[arg(long, conflicts_with = "services")]
    pub(crate) now: bool,
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: &DownArgs,
    reporter: &dyn Reporter,
) -> Result<u8, CommandError> {
    match instance::down(directory, &args.services, args.now, reporter)? {
        Down::Instance(name) => ui::talk(&format!("{name} is stopped\n")),
        Down::Services => {}
        Down::NothingRunning => ui::talk("nothing of this checkout runs\n"),
    }
    Ok(0)
}
