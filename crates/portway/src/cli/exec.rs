//! `portway exec -- CMD`: run a command with the wiring while the ports are held.

use std::path::Path;

use clap::Args;
use indexmap::IndexMap;
use portway_app::error::CommandError;
use portway_app::exec::{ExecOptions, exec};

use super::candidates;
use super::selection::SelectionArgs;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway exec -- npm test
      Run tests with the URLs and ports of all services
  portway exec --service api -- ./migrate
      Run a command with the variables of one service")]
pub(crate) struct Exec {
    /// Use the variables of this service, including its own `PORT`
    #[arg(long, value_name = "SERVICE", add = candidates::services())]
    pub(crate) service: Option<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Command to run, with its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

pub(crate) fn run(directory: Option<&Path>, args: Exec) -> Result<u8, CommandError> {
    let options = ExecOptions {
        selection: args.selection.to_selection(),
        service: args.service,
        command: args.command,
        env: IndexMap::new(),
    };
    exec(directory, &options)
}
