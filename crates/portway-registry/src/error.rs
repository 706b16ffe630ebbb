//! Errors of the registry.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::request::ChooseError;

/// The registry could not be used. Its contents have not changed.
#[derive(Debug, thiserror::Error)]
#[error("the registry `{}` {problem}", file.display())]
pub struct RegistryError {
    /// The file.
    pub file: PathBuf,
    /// The problem.
    pub problem: RegistryProblem,
    /// How to fix it.
    pub help: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What is wrong with the registry. Displayed as the end of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// A newer version of Portway wrote it.
    Newer {
        /// The version of its schema.
        found: u32,
        /// The newest version of the schema that this Portway supports.
        supported: usize,
    },
    /// It is not a database, or its contents are inconsistent.
    Damaged,
    /// Another program has locked it.
    Locked,
    /// The disk is full.
    DiskFull,
    /// It cannot be written.
    NotWritable,
    /// A file or directory cannot be used.
    Io,
    /// SQLite reported another error.
    Sqlite,
}

impl fmt::Display for RegistryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { found, supported } => write!(
                f,
                "was written by a newer version of Portway \
                 (its schema is {found}, this version supports {supported})"
            ),
            Self::Damaged => write!(f, "is damaged"),
            Self::Locked => write!(f, "is locked by another program"),
            Self::DiskFull => write!(f, "cannot grow because the disk is full"),
            Self::NotWritable => write!(f, "cannot be written"),
            Self::Io => write!(f, "cannot be used"),
            Self::Sqlite => write!(f, "returned an error"),
        }
    }
}

impl RegistryError {
    /// Returns the underlying error, unless the message already states it.
    pub fn cause(&self) -> Option<&(dyn Error + 'static)> {
        match self.problem {
            RegistryProblem::NotWritable | RegistryProblem::Io | RegistryProblem::Sqlite => {
                self.source()
            }
            _ => None,
        }
    }

    pub(crate) fn newer(file: &Path, found: u32, supported: usize) -> Self {
        Self {
            file: file.to_owned(),
            problem: RegistryProblem::Newer { found, supported },
            help: "use the newer version, or set `XDG_STATE_HOME` to another directory".into(),
            source: None,
        }
    }

    pub(crate) fn io(file: &Path, error: io::Error) -> Self {
        let help = match error.kind() {
            io::ErrorKind::TimedOut => {
                "check whether a `portway` process is suspended or hangs, and kill it"
            }
            _ => "make its directory writable, or set `XDG_STATE_HOME` to another directory",
        };
        Self {
            file: file.to_owned(),
            problem: RegistryProblem::Io,
            help: help.into(),
            source: Some(error.into()),
        }
    }

    pub(crate) fn sqlite(file: &Path, error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let (problem, help) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
                RegistryProblem::Damaged,
                format!(
                    "move the file away and let Portway choose new ports: `mv {} {}`",
                    quoted(&file.display().to_string()),
                    quoted(&format!("{}.damaged", file.display()))
                ),
            ),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                RegistryProblem::Locked,
                format!(
                    "close the program that has it open and try again; `fuser {}` shows its pid",
                    quoted(&file.display().to_string())
                ),
            ),
            Some(ErrorCode::DiskFull) => {
                (RegistryProblem::DiskFull, "free some disk space".to_owned())
            }
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure,
            ) => (
                RegistryProblem::NotWritable,
                "make its directory writable, or set `XDG_STATE_HOME` to another directory".into(),
            ),
            _ => (
                RegistryProblem::Sqlite,
                "inspect the file with `sqlite3`, or move it away".into(),
            ),
        };
        Self {
            file: file.to_owned(),
            problem,
            help,
            source: Some(error.into()),
        }
    }
}

/// Quotes a path for a POSIX shell.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// The reason why no ports were allocated.
#[derive(Debug, thiserror::Error)]
pub enum AllocateError {
    /// No choice satisfies the request.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// The instance is running, and only its supervisor may change its ports.
    #[error("the instance is running")]
    Running,
    /// The registry cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}
