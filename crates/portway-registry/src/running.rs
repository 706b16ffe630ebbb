//! The record of a running instance in its own directory. It does not depend on the database, so a
//! running instance can be found and stopped although the database is damaged or deleted.
//!
//! The record is valid only while the supervisor's lock is held.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::private_file::replace_file;
use crate::{Instance, lock};

const FILE_NAME: &str = "running.json";

/// The identity of a directory on this machine, as long as it exists: a directory that is created
/// later at the same path has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DirectoryId {
    /// The number of the file system's device.
    pub device: u64,
    /// The number of the directory within the file system.
    pub inode: u64,
}

impl DirectoryId {
    /// Reads the identity of the directory at `path`. `None` if there is no directory, and always
    /// on Windows, which does not move or delete the directory of a running process.
    pub fn read(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_dir)?;
        Self::of(&metadata)
    }

    #[cfg(unix)]
    #[allow(clippy::unnecessary_wraps, reason = "other systems have no identity")]
    pub(crate) fn of(metadata: &fs::Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_metadata: &fs::Metadata) -> Option<Self> {
        None
    }
}

/// A running instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningRecord {
    /// The instance as it was registered when it started.
    pub instance: Instance,
    /// The pid of its supervisor.
    pub pid: u32,
    /// The network namespace in which its services listen, on Linux.
    #[serde(default)]
    pub network: Option<u64>,
    /// The network namespace that the instance has for itself, if it has one. The ports of its services
    /// are reachable there, too.
    #[serde(default)]
    pub inner_network: Option<u64>,
}

/// Returns the network namespace of this process; `None` on other systems than Linux.
pub fn own_network() -> Option<u64> {
    let metadata = fs::metadata("/proc/self/ns/net").ok()?;
    DirectoryId::of(&metadata).map(|id| id.inode)
}

impl RunningRecord {
    /// Writes the record to the directory of its instance. The caller holds the supervisor's lock.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        replace_file(&dir.join(FILE_NAME), &serde_json::to_vec(self)?)
    }

    /// Removes the record from the directory of an instance, if it exists. The caller holds the
    /// supervisor's lock.
    pub fn remove(dir: &Path) {
        // A record without a lock has no effect.
        let _ = fs::remove_file(dir.join(FILE_NAME));
    }

    /// Reads the record in the directory of an instance, whether the instance still runs or not.
    pub fn read(dir: &Path) -> Option<Self> {
        let text = fs::read(dir.join(FILE_NAME)).ok()?;
        let record: Self = serde_json::from_slice(&text).ok()?;
        (dir.file_name()? == record.instance.id.as_str()).then_some(record)
    }

    /// Reads the records of all instances, whether they still run or not.
    pub fn read_all(state_dir: &Path) -> Vec<Self> {
        let ids = lock::instance_ids(state_dir);
        let dirs = ids.iter().map(|id| lock::instance_dir(state_dir, id));
        dirs.filter_map(|dir| Self::read(&dir)).collect()
    }

    /// Returns whether the directory of an instance has a record.
    pub fn exists(dir: &Path) -> bool {
        dir.join(FILE_NAME).exists()
    }
}

/// Returns whether a directory was deleted. A directory on a device that is not mounted here, or that
/// this mount namespace does not show, was not: nothing above its path is on the `device`.
pub(crate) fn is_deleted(dir: &Path, device: Option<u64>) -> bool {
    if dir.exists() {
        return false;
    }
    let above = dir.ancestors().skip(1).find_map(DirectoryId::read);
    match (above, device) {
        (Some(above), Some(device)) => above.device == device,
        // Not known for a record of an older version, and on Windows.
        _ => true,
    }
}

/// Paths as JSON. Not every path is Unicode.
pub(crate) mod os_path {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(from).map(PathBuf::from)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn record(dir: PathBuf) -> RunningRecord {
        RunningRecord {
            instance: Instance {
                id: "0123".into(),
                dir,
                project: "jobi".into(),
                name: "fix.jobi".into(),
                branch: Some("fix".into()),
                is_main: false,
                options: vec!["redis".into()],
                gateway: None,
                last_used: 7,
                identity: Some(DirectoryId {
                    device: 3,
                    inode: u64::MAX,
                }),
            },
            pid: 42,
            network: own_network(),
            inner_network: Some(8),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let state = tempfile::tempdir().unwrap();
        let dir = lock::instance_dir(state.path(), "0123");
        fs::create_dir_all(&dir).unwrap();
        assert_eq!(RunningRecord::read(&dir), None);
        let written = record("/p/jobi".into());
        written.write(&dir).unwrap();
        assert_eq!(RunningRecord::read_all(state.path()), [written]);
        RunningRecord::remove(&dir);
        assert!(!RunningRecord::exists(&dir));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_unicode_survives() {
        use std::os::unix::ffi::OsStringExt;
        let state = tempfile::tempdir().unwrap();
        let own = lock::instance_dir(state.path(), "0123");
        fs::create_dir_all(&own).unwrap();
        let dir = std::ffi::OsString::from_vec(b"/p/\xff".to_vec());
        let written = record(dir.into());
        written.write(&own).unwrap();
        assert_eq!(RunningRecord::read(&own), Some(written));
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_keeps_its_identity_when_it_is_moved() {
        let temp = tempfile::tempdir().unwrap();
        let (one, two) = (temp.path().join("one"), temp.path().join("two"));
        fs::create_dir(&one).unwrap();
        let before = DirectoryId::read(&one);
        assert!(before.is_some());
        fs::rename(&one, &two).unwrap();
        assert_eq!(DirectoryId::read(&two), before);
        assert_eq!(DirectoryId::read(&one), None);
        fs::create_dir(&one).unwrap();
        assert_ne!(DirectoryId::read(&one), before);
    }
}
