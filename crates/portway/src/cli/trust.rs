//! `portway trust`: a local CA for the gateway's names, and having programs trust it.

use std::fs;
use std::io;
use std::path::Path;

use clap::Args;
use portway_api::{ErrorCode, TrustReport, TrustState, TrustStep, TrustedRoot};
use portway_gateway::tls::{Draft, ROOT};

use crate::error::CommandError;
use crate::trust::{self, Facts, Record, Step, children};
use crate::{gateway, ui};

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
    if args.undo { undo(args) } else { install(args) }
}

fn install(args: &Trust) -> Result<u8, CommandError> {
    let dir = trust::dir()?;
    let present = trust::authority()?;
    let record = Record::read()?;
    let draft = match present {
        Some(_) => None,
        None => Some(Draft::new()?),
    };
    let known = present.as_ref().map(|authority| authority.root());
    let Some(root) = known.or(draft.as_ref().map(Draft::root)).cloned() else {
        return Ok(0);
    };
    // The CA of a record may be gone, but stores still trust it.
    if record.as_ref().is_some_and(|record| record.root != root) {
        let former = CommandError::new(
            ErrorCode::Refused,
            "stores of this machine still trust a former CA of this user",
        );
        return Err(former.hint("take it out first: `portway trust --undo`"));
    }
    let steps = trust::install(&Facts::gather()?, &root, &dir.join(ROOT));
    let mut report = report(&dir, &root, &steps, true);
    let makes = draft.is_some();
    if !agreed(args, &report, ui::Trusting::Begins { makes })? {
        return Ok(0);
    }
    if let Some(draft) = &draft {
        draft.write(&dir)?;
        trust::authority()?;
    }
    children::refresh();
    let mut record = record.unwrap_or(Record {
        root: root.clone(),
        stores: Vec::new(),
    });
    // Also those that are left to somebody with root rights: they may do it any time.
    let touched = steps.iter().filter(|step| step.lacks.is_none());
    for step in touched {
        if !record.stores.contains(&step.store) {
            record.stores.push(step.store.clone());
        }
    }
    record.write()?;
    report.steps = done(&steps, &root, true);
    tell(args, &report, ui::Trusting::Begins { makes })
}

fn undo(args: &Trust) -> Result<u8, CommandError> {
    let dir = trust::dir()?;
    let record = Record::read()?;
    let is_there = dir.exists();
    if record.is_none() && !is_there {
        if args.json {
            let nothing = CommandError::new(ErrorCode::NothingThere, "there is no local CA");
            return Err(nothing);
        }
        ui::talk("there is no local CA\n");
        return Ok(0);
    }
    let record = match record {
        Some(record) => record,
        None => Record {
            root: root_of(&dir),
            stores: Vec::new(),
        },
    };
    let steps = trust::undo(&Facts::gather()?, &record.root, &record.stores);
    let mut report = report(&dir, &record.root, &steps, false);
    if !agreed(args, &report, ui::Trusting::Ends { is_there })? {
        return Ok(0);
    }
    report.steps = done(&steps, &record.root, false);
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(CommandError::file("remove", &dir, &error));
        }
        _ => {}
    }
    // What is still in a store is not forgotten.
    let left = steps
        .iter()
        .zip(&report.steps)
        .filter(|(_, told)| !matches!(told.state, TrustState::Done | TrustState::Already));
    let left = Record {
        stores: left.map(|(step, _)| step.store.clone()).collect(),
        root: record.root,
    };
    left.write()?;
    tell(args, &report, ui::Trusting::Ends { is_there })
}

/// What is known of a CA that no store was told of.
fn root_of(dir: &Path) -> TrustedRoot {
    let known = trust::authority().ok().flatten();
    known.map_or_else(
        || TrustedRoot {
            name: format!("the CA in {}", dir.display()),
            serial: String::new(),
            fingerprint: String::new(),
        },
        |authority| authority.root().clone(),
    )
}

fn report(dir: &Path, root: &TrustedRoot, steps: &[Step], wanted: bool) -> TrustReport {
    let steps = steps.iter();
    TrustReport {
        directory: dir.display().to_string(),
        root: root.clone(),
        steps: steps
            .map(|step| trust::outlook(step, root, wanted))
            .collect(),
    }
}

/// Shows the plan, and asks whether it shall be done.
fn agreed(args: &Trust, report: &TrustReport, what: ui::Trusting) -> Result<bool, CommandError> {
    if args.dry_run && args.json {
        ui::json(report);
        return Ok(false);
    }
    if !args.json {
        ui::trust_plan(report, what);
    }
    if args.dry_run || args.yes {
        return Ok(args.yes);
    }
    let is_open = |step: &TrustStep| step.state == TrustState::Planned;
    if !what.touches_files() && !report.steps.iter().any(is_open) {
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

fn done(steps: &[Step], root: &TrustedRoot, wanted: bool) -> Vec<TrustStep> {
    let all = steps.iter();
    all.map(|step| trust::carry_out(step, root, wanted))
        .collect()
}

/// Tells what became of it.
fn tell(args: &Trust, report: &TrustReport, what: ui::Trusting) -> Result<u8, CommandError> {
    if args.json {
        ui::json(report);
    } else {
        ui::trusted(report);
        match gateway::status()? {
            Some(status)
                if status.tls_port.is_some() != matches!(what, ui::Trusting::Begins { .. }) =>
            {
                ui::talk(
                    "the gateway runs as before until `portway gateway stop`, then `portway gateway --detach`\n",
                );
            }
            _ => {}
        }
    }
    let failed = |step: &TrustStep| step.state == TrustState::Failed;
    Ok(u8::from(report.steps.iter().any(failed)))
}
