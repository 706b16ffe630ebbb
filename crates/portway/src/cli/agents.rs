//! `portway agents`: files with which coding agents use Portway.

use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use portway_app::agents::{self, hooks};
use portway_app::error::CommandError;
use portway_app::reporter::Reporter;

use super::edits::{self, EditArgs};
use crate::ui;

#[derive(Debug, Args)]
pub(crate) struct Agents {
    #[command(subcommand)]
    pub(crate) command: AgentsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentsCommand {
    /// Write the files of coding agents in this checkout
    ///
    /// Adds a skill, instructions, hooks, set-up of worktrees and a hook of git. Everything else in these files
    /// stays as it is. `--undo` restores each file byte for byte; from a file that was edited since, it removes
    /// only Portway's part.
    #[command(after_help = "\
Examples:
  portway agents install --dry-run
      Show what would be written
  portway agents install
      Write all files except those by choice
  portway agents install --only git-hook,skill
      Write only these files
  portway agents install --undo
      Remove Portway's part from all files

Files:
  skill                   a skill for Claude Code
  agents-md               a section in AGENTS.md
  claude-md               a section in CLAUDE.md, if there is one
  claude-hooks            Claude Code: SessionStart, WorktreeRemove
  claude-launch           Claude Code: .claude/launch.json
  codex                   .codex/environments/environment.toml
  cursor                  .cursor/worktrees.json
  git-hook                git's post-checkout, for new worktrees
  claude-worktree-create  by choice: Claude Code's WorktreeCreate")]
    Install(Install),
    /// What the installed hooks run
    #[command(hide = true)]
    Hook(Hook),
}

#[derive(Debug, Args)]
pub(crate) struct Install {
    /// Only these files
    #[arg(
        long,
        value_name = "FILE",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(agents::NAMES.map(|(name, _)| name)),
        hide_possible_values = true
    )]
    pub(crate) only: Vec<String>,
    #[command(flatten)]
    pub(crate) edit: EditArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Hook {
    pub(crate) event: Event,
    /// What git passes: the previous HEAD, the new one, and a flag.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Event {
    PostCheckout,
    SessionStart,
    WorktreeRemove,
    WorktreeCreate,
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: &Agents,
    reporter: &dyn Reporter,
) -> Result<u8, CommandError> {
    match &args.command {
        AgentsCommand::Install(args) => {
            let plan = agents::install(directory, &args.only, args.edit.undo)?;
            edits::run(
                &args.edit,
                plan,
                "commit the files, so that every checkout has them",
            )
        }
        AgentsCommand::Hook(hook) => run_hook(directory, hook, reporter),
    }
}

fn run_hook(
    directory: Option<&Path>,
    hook: &Hook,
    reporter: &dyn Reporter,
) -> Result<u8, CommandError> {
    let input = &mut std::io::stdin().lock();
    match hook.event {
        Event::PostCheckout => {
            let previous = hook.arguments.first().map_or("", String::as_str);
            hooks::post_checkout(directory, previous);
        }
        Event::SessionStart => drop(ui::exact(&hooks::session_start(input))),
        Event::WorktreeRemove => hooks::worktree_remove(input, reporter),
        Event::WorktreeCreate => {
            let path = hooks::worktree_create(input)?;
            ui::exact(&format!("{}\n", path.display()));
        }
    }
    Ok(0)
}
