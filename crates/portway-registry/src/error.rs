//! Why the registry cannot do what it was asked for.

use std::io;
use std::path::{Path, PathBuf};

use crate::choose::ChooseError;

/// The registry itself cannot be used. Nothing in it has been changed.
#[derive(Debug, thiserror::Error)]
#[error("the registry `{}` {problem}", file.display())]
pub struct RegistryError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, as the end of a sentence.
    pub problem: String,
    /// What to do about it.
    pub hint: String,
}

impl RegistryError {
    pub(crate) fn newer(file: &Path, found: u32, known: usize) -> Self {
        Self {
            file: file.to_owned(),
            problem: format!(
                "was written by a newer Portway (schema {found}; this one knows {known})"
            ),
            hint: "use the newer Portway, or point XDG_STATE_HOME elsewhere".into(),
        }
    }

    pub(crate) fn io(file: &Path, error: &io::Error) -> Self {
        Self {
            file: file.to_owned(),
            problem: format!("cannot be used: {error}"),
            hint: "make its directory writable, or point XDG_STATE_HOME elsewhere".into(),
        }
    }

    pub(crate) fn sqlite(file: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let (problem, hint) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
                "is damaged".to_owned(),
                format!(
                    "move it away (`mv '{0}' '{0}.damaged'`): ports are then chosen anew",
                    file.display()
                ),
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                "is locked by another program".to_owned(),
                "close the program that has it open (`fuser` tells which) and try again".into(),
            ),
            Some(ErrorCode::DiskFull) => (
                "cannot grow: the disk is full".to_owned(),
                "free some space".into(),
            ),
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => (
                format!("cannot be written: {error}"),
                "make its directory writable, or point XDG_STATE_HOME elsewhere".into(),
            ),
            _ => (
                format!("does not answer: {error}"),
                "look at it with `sqlite3`, or move it away".into(),
            ),
        };
        Self {
            file: file.to_owned(),
            problem,
            hint,
        }
    }
}

/// Why there are no ports.
#[derive(Debug, thiserror::Error)]
pub enum AllocateError {
    /// No choice satisfies the request.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The instance runs: its ports are its supervisor's to change.
    #[error("the instance runs")]
    Supervised,
    /// The registry cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}
