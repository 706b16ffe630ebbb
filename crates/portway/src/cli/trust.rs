//! `portway trust`: create a local CA and have programs trust it.

use clap::Args;
use portway_api::{ErrorCode, TrustState, TrustStep};
use portway_app::error::CommandError;
use portway_app::trust::{Change, Undo};

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway trust --dry-run   what would be done
  portway trust             make a CA and have this machine's programs trust it
  portway trust --undo      take all of it back

The CA can vouch for names below localhost and for nothing else.")]
pub(crate) struct Trust {
    /// Take the CA out of every store again, and remove its files
    #[arg(long)]
    pub(crate) undo: bool,
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do it without asking
    #[arg(long, short, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Trust) -> Result<u8, CommandError> {
    let change = if args.undo {
        match Change::undo()? {
            Undo::Change(change) => *change,
            Undo::Nothing(unread) => return nothing(args, unread),
        }
    } else {
        Change::install(args.dry_run)?
    };
    if !is_confirmed(args, &change)? {
        return Ok(0);
    }
    let outcome = change.apply()?;
    if args.json {
        ui::json(&outcome.report);
    } else {
        ui::trusted(&outcome.report);
        if outcome.needs_gateway_restart {
            ui::talk(
                "the gateway runs as before until `portway gateway stop`, then `portway gateway --detach`\n",
            );
        }
    }
    let failed = |step: &TrustStep| step.state == TrustState::Failed;
    Ok(u8::from(outcome.report.steps.iter().any(failed)))
}

/// There is no CA, and no store that could be read has one.
fn nothing(args: &Trust, unread: Vec<String>) -> Result<u8, CommandError> {
    let message = "there is no local CA";
    if args.json {
        let error = CommandError::new(ErrorCode::NotFound, message);
        return Err(unread.into_iter().fold(error, CommandError::hint));
    }
    let unread: String = unread.iter().map(|line| format!("  {line}\n")).collect();
    ui::talk(&format!("{message}\n{unread}"));
    Ok(0)
}

/// Shows the plan, and asks whether to carry it out.
fn is_confirmed(args: &Trust, change: &Change) -> Result<bool, CommandError> {
    if args.dry_run && args.json {
        ui::json(&change.report);
        return Ok(false);
    }
    if !args.json {
        ui::trust_plan(&change.report, change.direction);
    }
    if args.dry_run || args.yes {
        return Ok(args.yes);
    }
    if !change.is_needed() {
        return Ok(true);
    }
    if args.json || !ui::is_interactive() {
        return Err(CommandError::new(
            ErrorCode::Refused,
            "nothing was done: nobody can be asked here",
        )
        .hint("`--yes` does it without asking, `--dry-run` only shows it"));
    }
    Ok(ui::ask("do this?"))
}
