//! `portway attach`: connect this terminal to a running service.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::reporter::Reporter;

use super::candidates;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway attach
      Use the debugger or the keys of the main or only service
  portway attach api
      Attach to one service; Ctrl-\\ detaches, and the service keeps running
  echo 'rs' | portway attach web
      Send a line to a service and show what it answers
  portway attach api --no-input
      Only show the output as it arrives

A service with `tty = true` in `portway.toml` has a terminal: every key reaches it. Otherwise each line \
that you type is written to its standard input. Several terminals can be attached to a service at the same \
time. After the end of piped input, the command exits when the service has printed nothing for half a \
second.")]
pub(crate) struct Attach {
    /// Service to attach to [default: the main or only one]
    #[arg(value_name = "SERVICE", add = candidates::services())]
    pub(crate) service: Option<String>,
    /// Show the output only; send nothing to the service
    #[arg(long)]
    pub(crate) no_input: bool,
}

#[cfg(unix)]
pub(crate) fn run(
    directory: Option<&Path>,
    args: Attach,
    reporter: &dyn Reporter,
) -> Result<u8, CommandError> {
    use portway_app::instance::{self, AttachOptions, ConsoleOutput};

    let options = AttachOptions {
        service: args.service,
        no_input: args.no_input,
    };
    let mut print =
        |output: ConsoleOutput<'_>| crate::ui::console(output.bytes, output.is_terminal);
    instance::attach_console(directory, &options, reporter, &mut print)?;
    Ok(0)
}

#[cfg(windows)]
pub(crate) fn run(
    _directory: Option<&Path>,
    _args: Attach,
    _reporter: &dyn Reporter,
) -> Result<u8, CommandError> {
    let message = "`portway attach` is not available on Windows";
    Err(
        CommandError::new(portway_api::ErrorCode::MissingRequirement, message)
            .hint("run `portway logs -f` to follow the output"),
    )
}
