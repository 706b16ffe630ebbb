//! `portway run -- CMD`: run one command with a port, a name and supervision.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::reporter::Reporter;
use portway_app::run::{RunOptions, run as run_command};

/// Run one command with a port, a name and supervision
///
/// The command needs no `portway.toml`. Portway sets `PORT`, replaces `{port}` in arguments, and passes the port to
/// known programs as `portway up` does. The port stays the same from start to start. Ctrl-C stops the command with
/// all processes that it started.
///
/// In a checkout whose services are running, the command also gets their URLs. If they have a network of their own,
/// it runs in that network.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway run -- npm run dev
      Start a script, reachable at the URL that Portway prints
  portway run --name docs -- python3 -m http.server {port}
      Choose the name, and pass the port as an argument
  portway run 'cargo build && target/debug/server'
      Run one argument in a shell
  portway run --isolate -- ./server
      Run a program with a port in its source, in a network of its own (Linux)")]
pub(crate) struct Run {
    /// Name of the command [default: the name of the directory]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Require this port instead of the first free one
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// Give the command a network of its own, in which it can use any port (Linux)
    #[arg(long)]
    pub(crate) isolate: bool,
    /// Command to run, with its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: Run,
    reporter: &Arc<dyn Reporter>,
) -> Result<u8, CommandError> {
    let options = RunOptions {
        name: args.name,
        port: args.port,
        isolate: args.isolate,
        command: args.command,
    };
    run_command(directory, &options, reporter)
}
