//! `portway trust`: a local CA for the gateway's names, and having programs trust it.

use std::fs;
use std::io;
use std::path::Path;

use clap::Args;
use portway_api::{ErrorCode, TrustReport, TrustState, TrustStep, TrustedRoot};
use portway_gateway::tls::{self, GeneratedAuthority, ROOT_FILE};

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
        None if !args.dry_run => Some(GeneratedAuthority::new()?),
        _ => None,
    };
    let known = present.as_ref().map(|authority| authority.root());
    let root = known
        .or(draft.as_ref().map(GeneratedAuthority::root))
        .cloned();
    // Another is made each time: one that is only shown would be none that comes.
    let root = root.unwrap_or_else(|| nameless(format!("{} ID", tls::ROOT_NAME)));
    let makes = present.is_none();
    // The CA of a record may be gone, but stores still trust it.
    if record.as_ref().is_some_and(|record| record.root != root) {
        let former = CommandError::new(
            ErrorCode::Refused,
            "stores of this machine still trust a former CA of this user",
        );
        return Err(former.hint("take it out first: `portway trust --undo`"));
    }
    let steps = trust::install(&Facts::gather()?, &root, &dir.join(ROOT_FILE));
    let mut report = report(&dir, &root, &steps, true);
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
    let facts = Facts::gather()?;
    let record = Record::read()?;
    let own = own_root(&dir);
    let seen = trust::look_through(&facts);
    let steps = trust::undo(&facts, record.as_ref(), own.as_ref(), &seen);
    let is_there = dir.exists();
    let is_known = |step: &Step| !step.root.name.is_empty();
    if record.is_none() && !is_there && !steps.iter().any(is_known) {
        return nothing_there(args, &steps);
    }
    let root = record.as_ref().map(|record| record.root.clone()).or(own);
    let first = steps.iter().find(|step| is_known(step));
    let root = root
        .or(first.map(|step| step.root.clone()))
        .unwrap_or_else(|| nameless(format!("the CA in {}", dir.display())));
    let mut report = report(&dir, &root, &steps, false);
    if !agreed(args, &report, ui::Trusting::Ends { is_there })? {
        return Ok(0);
    }
    report.steps = done(&steps, &root, false);
    match fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(CommandError::file("remove", &dir, &error));
        }
        _ => {}
    }
    // What is still in a store is not forgotten: what was recorded, and what was seen there.
    let had = |step: &Step| {
        record
            .iter()
            .any(|record| record.stores.contains(&step.store))
            || seen.iter().any(|one| {
                let roots = one.roots.as_ref();
                one.store == step.store && roots.is_ok_and(|roots| roots.contains(&root))
            })
    };
    let left = steps.iter().zip(&report.steps).filter(|(step, told)| {
        let is_out = matches!(told.state, TrustState::Done | TrustState::AlreadyDone);
        // One that may be another user's is nothing of ours to remember.
        let is_others = told.state == TrustState::Unavailable && record.is_none();
        step.root == root && had(step) && !is_out && !is_others
    });
    let stores = left.map(|(step, _)| step.store.clone()).collect();
    Record { root, stores }.write()?;
    tell(args, &report, ui::Trusting::Ends { is_there })
}

/// Nothing is known of a CA, and no store that could be looked through has one.
fn nothing_there(args: &Trust, unseen: &[Step]) -> Result<u8, CommandError> {
    let unseen = unseen.iter().map(|step| {
        let why = step.lacks.as_deref().unwrap_or_default();
        format!("not looked through: {} ({why})", step.store)
    });
    let nothing = "there is no local CA";
    if args.json {
        let nothing = CommandError::new(ErrorCode::NotFound, nothing);
        return Err(unseen.fold(nothing, CommandError::hint));
    }
    let unseen: String = unseen.map(|line| format!("  {line}\n")).collect();
    ui::talk(&format!("{nothing}\n{unseen}"));
    Ok(0)
}

/// The root in the CA's files, whether the others of them can be used or not.
fn own_root(dir: &Path) -> Option<TrustedRoot> {
    let text = fs::read(dir.join(ROOT_FILE)).ok()?;
    tls::find_roots(&text).into_iter().next()
}

/// A root of which no more is known than what to call it.
fn nameless(name: String) -> TrustedRoot {
    TrustedRoot {
        name,
        serial: String::new(),
        fingerprint: String::new(),
    }
}

fn report(dir: &Path, root: &TrustedRoot, steps: &[Step], wanted: bool) -> TrustReport {
    let all = steps.iter();
    TrustReport {
        directory: dir.display().to_string(),
        root: root.clone(),
        steps: all
            .map(|step| of_which(step, root, trust::outlook(step, wanted)))
            .collect(),
    }
}

/// Says of which CA a step is, where that is not the one of the report.
fn of_which(step: &Step, root: &TrustedRoot, told: TrustStep) -> TrustStep {
    let is_other = step.root != *root && !step.root.name.is_empty();
    TrustStep {
        former: is_other.then(|| step.root.name.clone()),
        ..told
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
    all.map(|step| of_which(step, root, trust::carry_out(step, wanted)))
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
