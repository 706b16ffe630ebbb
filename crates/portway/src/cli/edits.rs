//! The common part of commands that change files of the user: show, ask, change, undo.

use clap::Args;
use portway_api::FileAction;
use portway_app::edits::Edits;
use portway_app::error::CommandError;

use super::confirm;
use crate::ui;

#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// Restore the files; from a file that you edited since, only remove Portway's part
    #[arg(long)]
    pub(crate) undo: bool,
    /// Only show what would be changed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Change existing files without asking
    #[arg(long, short, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Shows the planned changes, asks before existing files are changed, and makes them. `next` says what to do
/// after a change.
pub(crate) fn run(args: &EditArgs, mut plan: Edits, next: &str) -> Result<u8, CommandError> {
    let errors = std::mem::take(&mut plan.errors);
    if !args.json {
        ui::file_changes(&plan.changes(), args.undo);
        for error in &errors {
            ui::error(error, false);
        }
    }
    if plan.is_needed() && !args.dry_run {
        if !may_change(args, &plan)? {
            return Ok(1);
        }
        plan.apply()?;
        if !args.json && !args.undo && !next.is_empty() {
            ui::message(&format!("{next}\n"));
        }
    } else if !args.dry_run {
        plan.apply()?;
    }
    if args.json {
        match errors.into_iter().next() {
            Some(error) => return Err(error),
            None => drop(ui::json(&plan.changes())),
        }
        return Ok(0);
    }
    Ok(u8::from(!errors.is_empty()))
}

/// Asks, if a file that is not Portway's own is changed.
fn may_change(args: &EditArgs, plan: &Edits) -> Result<bool, CommandError> {
    let is_edit = |action| matches!(action, FileAction::Change | FileAction::Restore);
    if args.yes || !plan.changes().iter().any(|one| is_edit(one.action)) {
        return Ok(true);
    }
    confirm::proceed(args.json)
}
