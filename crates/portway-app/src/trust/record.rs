//! The record of the trust stores that contain, or may contain, the root of the local CA.

use std::fs;
use std::io;
use std::path::PathBuf;

use portway_api::{ErrorCode, TrustedRoot};
use portway_project::shell::quote;
use portway_registry::replace_file;
use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::error::CommandError;
use crate::gateway::state;

/// The recorded root and its stores. The record is kept when the CA's files are deleted, so that
/// the root can still be removed from the stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) root: TrustedRoot,
    pub(crate) stores: Vec<Store>,
}

const FILE: &str = "trust.json";

impl Record {
    fn file() -> Result<PathBuf, CommandError> {
        Ok(state::dir()?.join(FILE))
    }

    /// Reads the record, if it exists.
    pub(crate) fn read() -> Result<Option<Self>, CommandError> {
        let file = Self::file()?;
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                let message = format!("`{}` is invalid", file.display());
                CommandError::new(ErrorCode::State, message)
                    .caused_by(error)
                    .hint(format!(
                        "delete the file: `rm {}`",
                        quote(&file.to_string_lossy())
                    ))
                    .hint("then run `portway trust --undo`, which searches the trust stores")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CommandError::file("read", &file, error)),
        }
    }

    /// Writes the record atomically; deletes the file if no store is left.
    pub(crate) fn write(&self) -> Result<(), CommandError> {
        let file = Self::file()?;
        let write = || -> io::Result<()> {
            if self.stores.is_empty() {
                return match fs::remove_file(&file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            replace_file(&file, &serde_json::to_vec(self)?)
        };
        write().map_err(|error| CommandError::file("write", &file, error))
    }
}
