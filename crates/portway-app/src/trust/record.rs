//! What was touched: the stores that have, or may have, the local CA's root.

use std::fs;
use std::io;
use std::path::PathBuf;

use portway_api::{ErrorCode, TrustedRoot};
use serde::{Deserialize, Serialize};

use super::store::Store;
use crate::error::CommandError;
use crate::gateway::state;

/// The record. It outlives the CA's files: what is in a store has to come out of it, whatever
/// became of them.
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

    /// The record, if there is one.
    pub(crate) fn read() -> Result<Option<Self>, CommandError> {
        let file = Self::file()?;
        match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                let broken = format!("`{}` is broken: {error}", file.display());
                CommandError::new(ErrorCode::State, broken).hint(format!(
                    "remove it: `rm '{}'`; then `portway trust --undo` looks through the stores",
                    file.display()
                ))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CommandError::file("read", &file, &error)),
        }
    }

    /// Writes it whole; without stores there is nothing to remember.
    pub(crate) fn write(&self) -> Result<(), CommandError> {
        let file = Self::file()?;
        let write = || -> io::Result<()> {
            if self.stores.is_empty() {
                return match fs::remove_file(&file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            let new = file.with_extension("new");
            fs::write(&new, serde_json::to_vec(self)?)?;
            fs::rename(&new, &file)
        };
        write().map_err(|error| CommandError::file("write", &file, &error))
    }
}
