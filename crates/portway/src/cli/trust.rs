//! `portway trust`: create a local CA and add it to the trust stores.

use clap::Args;
use portway_api::{ErrorCode, TrustState, TrustStep};
use portway_app::error::CommandError;
use portway_app::trust::{Change, Undo};

use super::confirm;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway trust --dry-run
      Show what would be changed
  portway trust
      Create a CA and add it to the trust stores of this machine
  portway trust --undo
      Remove the CA from all trust stores and delete it

The CA is limited to names below `localhost`.")]
pub(crate) struct Trust {
    /// Remove the CA from all trust stores and delete its files
    #[arg(long)]
    pub(crate) undo: bool,
    /// Only show what would be changed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Proceed without asking
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
            Undo::Nothing(unread) => return report_no_ca(args, unread),
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
            ui::message(
                "to apply the change, restart the gateway: run `portway gateway stop`, then `portway gateway --detach`\n",
            );
        }
    }
    let failed = |step: &TrustStep| step.state == TrustState::Failed;
    Ok(u8::from(outcome.report.steps.iter().any(failed)))
}

/// Reports that there is no CA, neither on disk nor in a store that could be read.
fn report_no_ca(args: &Trust, unread: Vec<String>) -> Result<u8, CommandError> {
    let message = "no local CA exists";
    if args.json {
        let error = CommandError::new(ErrorCode::NotFound, message);
        return Err(unread.into_iter().fold(error, CommandError::hint));
    }
    let unread: String = unread.iter().map(|line| format!("  {line}\n")).collect();
    ui::message(&format!("{message}\n{unread}"));
    Ok(0)
}

/// Shows the plan and asks for confirmation.
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
    confirm::proceed(args.json)
}
