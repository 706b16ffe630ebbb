//! Adding the local CA to the stores of this machine, and removing it: first a plan, then its
//! execution.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portway_api::{ErrorCode, TrustReport, TrustState, TrustStep, TrustedRoot};
use portway_gateway::tls::{self, GeneratedAuthority, ROOT_FILE};

use super::apply::{carry_out, outlook};
use super::contents::Seen;
use super::facts::Facts;
use super::record::Record;
use super::steps::{self, Step};
use super::{authority, children, dir};
use crate::error::CommandError;
use crate::gateway::state;

/// What a change does with the files of the local CA.
#[derive(Clone, Copy, Debug)]
pub enum Direction {
    /// Programs are to trust the CA; `creates` says that it has to be created first.
    Install {
        /// Whether the files are created.
        creates: bool,
    },
    /// The CA is removed; `exists` says that its files are still there.
    Undo {
        /// Whether there are files to remove.
        exists: bool,
    },
}

impl Direction {
    /// Whether the files of the CA are created or removed.
    pub fn touches_files(self) -> bool {
        match self {
            Self::Install { creates } => creates,
            Self::Undo { exists } => exists,
        }
    }
}

/// A planned change of the stores.
pub struct Change {
    /// What is going to be done.
    pub report: TrustReport,
    /// What is going to be done with the files of the CA.
    pub direction: Direction,
    dir: PathBuf,
    root: TrustedRoot,
    steps: Vec<Step>,
    record: Option<Record>,
    /// The CA to create.
    draft: Option<GeneratedAuthority>,
    /// What the stores hold, as far as they could be read.
    seen: Vec<Seen>,
}

/// What became of a change.
#[derive(Debug)]
pub struct Outcome {
    /// The result of each step.
    pub report: TrustReport,
    /// Whether a gateway runs that has not noticed the change.
    pub needs_gateway_restart: bool,
}

/// The plan to remove the CA.
pub enum Undo {
    /// There is something to remove.
    Change(Box<Change>),
    /// There is no CA. The lines name the stores that could not be read.
    Nothing(Vec<String>),
}

impl Change {
    /// Plans to have programs trust the CA. With `dry_run` no CA is prepared, and the plan must not
    /// be applied.
    ///
    /// # Errors
    /// When the CA or the record cannot be used, or stores trust a former CA.
    pub fn install(dry_run: bool) -> Result<Self, CommandError> {
        let dir = dir()?;
        let present = authority()?;
        let record = Record::read()?;
        let draft = match present {
            None if !dry_run => Some(GeneratedAuthority::new()?),
            _ => None,
        };
        let known = present.as_ref().map(|authority| authority.root());
        let root = known
            .or(draft.as_ref().map(GeneratedAuthority::root))
            .cloned();
        // Every CA has a new name, so a dry run cannot know it.
        let root = root.unwrap_or_else(|| nameless(format!("{} ID", tls::ROOT_NAME)));
        let creates = present.is_none();
        // The CA of a record may be gone, but stores still trust it.
        if record.as_ref().is_some_and(|record| record.root != root) {
            let former = CommandError::new(
                ErrorCode::Refused,
                "stores of this machine still trust a former CA of this user",
            );
            return Err(former.hint("take it out first: `portway trust --undo`"));
        }
        let steps = steps::install(&Facts::gather()?, &root, &dir.join(ROOT_FILE));
        Ok(Self {
            report: report(&dir, &root, &steps, true),
            direction: Direction::Install { creates },
            dir,
            root,
            steps,
            record,
            draft,
            seen: Vec::new(),
        })
    }

    /// Plans to remove the CA from every store, with its files.
    ///
    /// # Errors
    /// When the record cannot be used.
    pub fn undo() -> Result<Undo, CommandError> {
        let dir = dir()?;
        let facts = Facts::gather()?;
        let record = Record::read()?;
        let own = own_root(&dir);
        let seen = steps::look_through(&facts);
        let steps = steps::undo(&facts, record.as_ref(), own.as_ref(), &seen);
        let exists = dir.exists();
        let is_known = |step: &Step| !step.root.name.is_empty();
        if record.is_none() && !exists && !steps.iter().any(is_known) {
            let unread = steps.iter().map(|step| {
                let why = step.lacks.as_deref().unwrap_or_default();
                format!("not looked through: {} ({why})", step.store)
            });
            return Ok(Undo::Nothing(unread.collect()));
        }
        let root = record.as_ref().map(|record| record.root.clone()).or(own);
        let first = steps.iter().find(|step| is_known(step));
        let root = root
            .or(first.map(|step| step.root.clone()))
            .unwrap_or_else(|| nameless(format!("the CA in {}", dir.display())));
        Ok(Undo::Change(Box::new(Self {
            report: report(&dir, &root, &steps, false),
            direction: Direction::Undo { exists },
            dir,
            root,
            steps,
            record,
            draft: None,
            seen,
        })))
    }

    /// Whether applying the change does anything without root rights.
    pub fn is_needed(&self) -> bool {
        let is_open = |step: &TrustStep| step.state == TrustState::Planned;
        self.direction.touches_files() || self.report.steps.iter().any(is_open)
    }

    /// Makes the change.
    ///
    /// # Errors
    /// When the files or the record cannot be written. A step that fails is part of the report.
    pub fn apply(self) -> Result<Outcome, CommandError> {
        let wants_tls = matches!(self.direction, Direction::Install { .. });
        let report = if wants_tls {
            self.apply_install()?
        } else {
            self.apply_undo()?
        };
        let gateway = state::status()?;
        Ok(Outcome {
            report,
            needs_gateway_restart: gateway
                .is_some_and(|status| status.tls_port.is_some() != wants_tls),
        })
    }

    fn apply_install(self) -> Result<TrustReport, CommandError> {
        if let Some(draft) = &self.draft {
            draft.write(&self.dir)?;
            authority()?;
        }
        children::refresh();
        let mut record = self.record.unwrap_or(Record {
            root: self.root.clone(),
            stores: Vec::new(),
        });
        // Stores that need root rights are recorded too: a user may run their commands at any time.
        let touched = self.steps.iter().filter(|step| step.lacks.is_none());
        for step in touched {
            if !record.stores.contains(&step.store) {
                record.stores.push(step.store.clone());
            }
        }
        record.write()?;
        Ok(TrustReport {
            steps: done(&self.steps, &self.root, true),
            ..self.report
        })
    }

    fn apply_undo(self) -> Result<TrustReport, CommandError> {
        let Self {
            dir, root, record, ..
        } = self;
        let results = done(&self.steps, &root, false);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CommandError::file("remove", &dir, &error));
            }
            _ => {}
        }
        // A store that still holds the root is remembered: one that was recorded, or one in which
        // the root was seen.
        let had = |step: &Step| {
            record
                .iter()
                .any(|record| record.stores.contains(&step.store))
                || self.seen.iter().any(|one| {
                    let roots = one.roots.as_ref();
                    one.store == step.store && roots.is_ok_and(|roots| roots.contains(&root))
                })
        };
        let left = self.steps.iter().zip(&results).filter(|(step, result)| {
            let is_out = matches!(result.state, TrustState::Done | TrustState::AlreadyDone);
            // A root that may belong to another user is not recorded.
            let is_others = result.state == TrustState::Unavailable && record.is_none();
            step.root == root && had(step) && !is_out && !is_others
        });
        let stores = left.map(|(step, _)| step.store.clone()).collect();
        Record { root, stores }.write()?;
        Ok(TrustReport {
            steps: results,
            ..self.report
        })
    }
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
            .map(|step| of_which(step, root, outlook(step, wanted)))
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

fn done(steps: &[Step], root: &TrustedRoot, wanted: bool) -> Vec<TrustStep> {
    let all = steps.iter();
    all.map(|step| of_which(step, root, carry_out(step, wanted)))
        .collect()
}
