//! The record of the files of the user that Portway has changed, with their text before and after.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portway_api::ErrorCode;
use portway_registry::{create_private_dir, open_lock_file, replace_file};
use serde::{Deserialize, Serialize};

use crate::dirs;
use crate::error::CommandError;

const FILE: &str = "edits.json";
const LOCK: &str = "edits.lock";

/// A file that Portway has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// Its path.
    pub(crate) path: PathBuf,
    /// The command that changed it.
    pub(crate) owner: String,
    /// The name with which that command selects it.
    pub(crate) name: String,
    /// The directory for which it was changed: the checkout or the home directory.
    pub(crate) root: PathBuf,
    /// Its text before; missing if it did not exist.
    pub(crate) before: Option<String>,
    /// Its text after.
    pub(crate) after: String,
    /// The directories that were created for it, the innermost first.
    pub(crate) created: Vec<PathBuf>,
}

/// All changed files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) files: Vec<Recorded>,
}

impl Record {
    /// Reads the record; it is empty if it does not exist.
    pub(crate) fn read() -> Result<Self, CommandError> {
        Self::read_in(&dirs::state_dir()?)
    }

    fn read_in(state: &Path) -> Result<Self, CommandError> {
        let file = state.join(FILE);
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| {
                let message = format!("`{}` is invalid", file.display());
                CommandError::new(ErrorCode::State, message)
                    .caused_by(error)
                    .hint("delete the file; Portway's parts of your files are then recognized by their text")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(CommandError::file("read", &file, error)),
        }
    }

    /// Changes the record in one step.
    pub(crate) fn change(change: impl FnOnce(&mut Self)) -> Result<(), CommandError> {
        let state = dirs::state_dir()?;
        let file = state.join(FILE);
        let failed = |error| CommandError::file("write", &file, error);
        create_private_dir(&state).map_err(failed)?;
        let lock = open_lock_file(&state.join(LOCK)).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut record = Self::read_in(&state)?;
        change(&mut record);
        let text = serde_json::to_vec(&record).map_err(|error| failed(error.into()))?;
        replace_file(&file, &text).map_err(failed)
    }

    /// Returns the record of a file.
    pub(crate) fn find(&self, path: &Path) -> Option<&Recorded> {
        self.files.iter().find(|one| one.path == path)
    }

    /// Adds or replaces the record of a file.
    pub(crate) fn set(&mut self, new: Recorded) {
        self.files.retain(|one| one.path != new.path);
        self.files.push(new);
    }

    /// Removes the record of a file.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.files.retain(|one| one.path != path);
    }

    /// Passes created directories on to a file in them, with which they are removed later.
    pub(crate) fn pass_on(&mut self, directories: Vec<PathBuf>) {
        for dir in directories {
            let mut files = self.files.iter_mut();
            if let Some(other) = files.find(|one| one.path.starts_with(&dir)) {
                other.created.push(dir);
            }
        }
    }
}
