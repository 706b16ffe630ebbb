//! `portway exec -- CMD`: run any command with the wiring, under held ports.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::exec::{ExecOptions, exec};

use super::selection::SelectionArgs;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway exec -- npm test
  portway exec --service backend -- .venv/bin/alembic upgrade head")]
pub(crate) struct Exec {
    /// Run it as this service: with its own PORT and variables
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

pub(crate) fn run(directory: Option<&Path>, args: Exec) -> Result<u8, CommandError> {
    let options = ExecOptions {
        selection: args.selection.to_selection(),
        service: args.service,
        command: args.command,
    };
    exec(directory, &options)
}
