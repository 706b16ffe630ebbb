//! `portway shell`: open the user's shell with the variables and in the network of a checkout.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::shell::shell;

use super::candidates;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway shell
      Open a shell in which every usual port of an isolated checkout works
  portway shell --service api
      Use the variables of one service")]
pub(crate) struct Shell {
    /// Use the variables of this service, including its own `PORT`
    #[arg(long, value_name = "SERVICE", add = candidates::services())]
    pub(crate) service: Option<String>,
}

pub(crate) fn run(directory: Option<&Path>, args: Shell) -> Result<u8, CommandError> {
    shell(directory, args.service)
}
