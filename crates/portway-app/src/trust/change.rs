//! Adds the local CA to the trust stores of this machine and removes it: plans first, then executes
//! the plan.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portway_api::{ErrorCode, TrustReport, TrustState, TrustStep, TrustedRoot};
use portway_gateway::tls::{self, GeneratedAuthority, ROOT_FILE};

use super::apply::{execute, preview};
use super::contents::StoreContents;
use super::environment::StoreEnvironment;
use super::record::Record;
use super::steps::{self, Step};
use super::{authority, children, dir};
use crate::error::CommandError;
use crate::gateway::state;

/// Whether the CA is installed or removed, and what happens to its files.
#[derive(Clone, Copy, Debug)]
pub enum Direction {
    /// Adds the CA to the trust stores.
    Install {
        /// Whether the CA is created first.
        creates: bool,
    },
    /// Removes the CA from the trust stores and deletes its files.
    Undo {
        /// Whether the files exist.
        exists: bool,
    },
}

impl Direction {
    /// Returns whether the files of the CA are created or removed.
    pub fn touches_files(self) -> bool {
        match self {
            Self::Install { creates } => creates,
            Self::Undo { exists } => exists,
        }
    }
}

/// A planned change to the trust stores.
pub struct Change {
    /// The planned steps.
    pub report: TrustReport,
    /// Whether the CA is installed or removed.
    pub direction: Direction,
    dir: PathBuf,
    root: TrustedRoot,
    steps: Vec<Step>,
    record: Option<Record>,
    /// The new CA, which is not written yet.
    new_authority: Option<GeneratedAuthority>,
    /// The Portway roots found in each store; read only to plan a removal.
    contents: Vec<StoreContents>,
}

/// The result of an applied change.
#[derive(Debug)]
pub struct Outcome {
    /// The result of each step.
    pub report: TrustReport,
    /// Whether a running gateway must be restarted for the change to take effect.
    pub needs_gateway_restart: bool,
}

/// The plan for removing the CA.
pub enum Undo {
    /// Stores or files have to change.
    Change(Box<Change>),
    /// There is no CA. Each line names a store that could not be read, and why.
    Nothing(Vec<String>),
}

impl Change {
    /// Plans to add the CA to the trust stores. With `dry_run`, no CA is generated and the plan
    /// must not be applied.
    ///
    /// # Errors
    /// When the CA or the record cannot be used, or stores still trust a previous CA.
    pub fn install(dry_run: bool) -> Result<Self, CommandError> {
        let dir = dir()?;
        let existing = authority()?;
        let record = Record::read()?;
        let new_authority = match existing {
            None if !dry_run => Some(GeneratedAuthority::new()?),
            _ => None,
        };
        let root = existing
            .as_ref()
            .map(|authority| authority.root())
            .or(new_authority.as_ref().map(GeneratedAuthority::root))
            .cloned();
        // Each CA gets a random name when it is generated, so a dry run uses a placeholder.
        let root = root.unwrap_or_else(|| placeholder_root(format!("{} ID", tls::ROOT_NAME)));
        let creates = existing.is_none();
        // The files of the recorded CA may be deleted while stores still trust it.
        if record.as_ref().is_some_and(|record| record.root != root) {
            return Err(CommandError::new(
                ErrorCode::Refused,
                "trust stores of this machine still trust your previous local CA",
            )
            .hint("remove it first: run `portway trust --undo`"));
        }
        let steps = steps::install(&StoreEnvironment::read()?, &root, &dir.join(ROOT_FILE));
        Ok(Self {
            report: report(&dir, &root, &steps, true),
            direction: Direction::Install { creates },
            dir,
            root,
            steps,
            record,
            new_authority,
            contents: Vec::new(),
        })
    }

    /// Plans to remove the CA from every store and to delete its files.
    ///
    /// # Errors
    /// When the record cannot be used.
    pub fn undo() -> Result<Undo, CommandError> {
        let dir = dir()?;
        let environment = StoreEnvironment::read()?;
        let record = Record::read()?;
        let file_root = root_of_files(&dir);
        let contents = steps::read_stores(&environment);
        let steps = steps::undo(&environment, record.as_ref(), file_root.as_ref(), &contents);
        let exists = dir.exists();
        let has_root = |step: &Step| !step.root.name.is_empty();
        if record.is_none() && !exists && !steps.iter().any(has_root) {
            let unread = steps.iter().map(|step| {
                let why = step.unavailable.as_deref().unwrap_or_default();
                format!("cannot read {}: {why}", step.store)
            });
            return Ok(Undo::Nothing(unread.collect()));
        }
        let root = record
            .as_ref()
            .map(|record| record.root.clone())
            .or(file_root);
        let first = steps.iter().find(|step| has_root(step));
        let root = root
            .or(first.map(|step| step.root.clone()))
            .unwrap_or_else(|| placeholder_root(format!("the CA in {}", dir.display())));
        Ok(Undo::Change(Box::new(Self {
            report: report(&dir, &root, &steps, false),
            direction: Direction::Undo { exists },
            dir,
            root,
            steps,
            record,
            new_authority: None,
            contents,
        })))
    }

    /// Returns whether applying the change does anything without root privileges.
    pub fn is_needed(&self) -> bool {
        let is_planned = |step: &TrustStep| step.state == TrustState::Planned;
        self.direction.touches_files() || self.report.steps.iter().any(is_planned)
    }

    /// Applies the change. A failed step is part of the report, not an error.
    ///
    /// # Errors
    /// When the files or the record cannot be written.
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
        if let Some(new) = &self.new_authority {
            new.write(&self.dir)?;
            authority()?;
        }
        children::update_bundle();
        let mut record = self.record.unwrap_or(Record {
            root: self.root.clone(),
            stores: Vec::new(),
        });
        // Stores that need root privileges are recorded too: the user may run their commands later.
        let available = self.steps.iter().filter(|step| step.unavailable.is_none());
        for step in available {
            if !record.stores.contains(&step.store) {
                record.stores.push(step.store.clone());
            }
        }
        record.write()?;
        Ok(TrustReport {
            steps: execute_all(&self.steps, &self.root, true),
            ..self.report
        })
    }

    fn apply_undo(self) -> Result<TrustReport, CommandError> {
        let Self {
            dir, root, record, ..
        } = self;
        let results = execute_all(&self.steps, &root, false);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CommandError::file("remove", &dir, error));
            }
            _ => {}
        }
        // Keeps the record of each store that still contains the root: a recorded store, or a store
        // in which the root was found.
        let had_root = |step: &Step| {
            record
                .iter()
                .any(|record| record.stores.contains(&step.store))
                || self.contents.iter().any(|contents| {
                    let roots = contents.roots.as_ref();
                    contents.store == step.store && roots.is_ok_and(|roots| roots.contains(&root))
                })
        };
        let remaining = self.steps.iter().zip(&results).filter(|(step, result)| {
            let is_removed = matches!(result.state, TrustState::Done | TrustState::AlreadyDone);
            // A root that may belong to another user is not recorded.
            let may_be_another_users = result.state == TrustState::Unavailable && record.is_none();
            step.root == root && had_root(step) && !is_removed && !may_be_another_users
        });
        let stores = remaining.map(|(step, _)| step.store.clone()).collect();
        Record { root, stores }.write()?;
        Ok(TrustReport {
            steps: results,
            ..self.report
        })
    }
}

/// Reads the root certificate of the CA's files. The other files may be missing or damaged.
fn root_of_files(dir: &Path) -> Option<TrustedRoot> {
    let text = fs::read(dir.join(ROOT_FILE)).ok()?;
    tls::find_roots(&text).into_iter().next()
}

/// Creates a root that has only a name, for reports.
fn placeholder_root(name: String) -> TrustedRoot {
    TrustedRoot {
        name,
        serial: String::new(),
        fingerprint: String::new(),
    }
}

fn report(dir: &Path, root: &TrustedRoot, steps: &[Step], present: bool) -> TrustReport {
    let all = steps.iter();
    TrustReport {
        directory: dir.display().to_string(),
        root: root.clone(),
        steps: all
            .map(|step| with_former_name(step, root, preview(step, present)))
            .collect(),
    }
}

/// Adds the name of the CA to a step that removes another CA than the one of the report.
fn with_former_name(step: &Step, root: &TrustedRoot, result: TrustStep) -> TrustStep {
    let is_other = step.root != *root && !step.root.name.is_empty();
    TrustStep {
        former: is_other.then(|| step.root.name.clone()),
        ..result
    }
}

fn execute_all(steps: &[Step], root: &TrustedRoot, present: bool) -> Vec<TrustStep> {
    let all = steps.iter();
    all.map(|step| with_former_name(step, root, execute(step, present)))
        .collect()
}
