//! `portway completions`: complete commands, options and live names in a shell.

use clap::{Args, Subcommand, ValueEnum};
use portway_app::completion::install;
use portway_app::error::CommandError;

use super::candidates;
use super::edits::{self, EditArgs};
use crate::ui;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  portway completions install
      Install completions for your shell
  portway completions install --shell zsh --dry-run
      Show what would be written for zsh
  portway completions install --undo
      Remove them again
  portway completions bash
      Print the script for bash"
)]
pub(crate) struct Completions {
    /// Print the script for this shell
    #[arg(required = true)]
    pub(crate) shell: Option<Shell>,
    #[command(subcommand)]
    pub(crate) command: Option<CompletionsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CompletionsCommand {
    /// Put completions where your shell finds them
    ///
    /// bash (with bash-completion) and fish get a file of their own. For zsh and PowerShell, Portway adds a few
    /// lines to the file that the shell reads when it starts, after it has shown them.
    Install(Install),
}

#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Shell [default: the one in `SHELL`; on Windows, PowerShell]
    #[arg(long)]
    pub(crate) shell: Option<Shell>,
    #[command(flatten)]
    pub(crate) edit: EditArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
        }
    }
}

pub(crate) fn run(args: &Completions) -> Result<u8, CommandError> {
    if let Some(CompletionsCommand::Install(args)) = &args.command {
        let plan = install(args.shell.map(Shell::name), args.edit.undo)?;
        return edits::run(&args.edit, plan, "start a new shell to use the completions");
    }
    if let Some(shell) = args.shell {
        ui::exact(&candidates::script(shell.name()));
    }
    Ok(0)
}
