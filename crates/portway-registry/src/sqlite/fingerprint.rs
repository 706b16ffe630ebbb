//! The files of a registry, and how a change of them is recognized.

use std::path::Path;
use std::time::SystemTime;

use crate::DirectoryId;

/// The name of the database in the state directory.
pub(super) const FILE_NAME: &str = "registry.db";

/// The name of the file that every command locks while it writes.
pub(super) const LOCK_FILE_NAME: &str = "registry.lock";

/// Identifies the files of a registry. It changes when one of them is deleted, replaced or truncated,
/// which can lose what was recorded. It also changes with some writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// The database with its size and the time of its last change.
    database: Option<(Option<DirectoryId>, u64, Option<SystemTime>)>,
    /// The log of commits, and the lock.
    others: [Option<DirectoryId>; 2],
}

impl Fingerprint {
    /// Reads the fingerprint of the registry in `state_dir`.
    pub fn read(state_dir: &Path) -> Self {
        let metadata = |name: &str| state_dir.join(name).metadata().ok();
        let id = |name: &str| DirectoryId::of(&metadata(name)?);
        Self {
            database: metadata(FILE_NAME)
                .map(|file| (DirectoryId::of(&file), file.len(), file.modified().ok())),
            others: [&format!("{FILE_NAME}-wal"), LOCK_FILE_NAME].map(id),
        }
    }

    /// Returns whether both are of the same files, whatever their content.
    pub(super) fn has_same_files(&self, other: &Self) -> bool {
        let id = |one: &Self| one.database.as_ref().and_then(|(id, ..)| *id);
        id(self) == id(other) && self.others == other.others
    }
}
