//! The record of a keeper: a file below the instance's directory that the keeper keeps locked while
//! it lives. It says which processes belong to a keeper that was killed.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::platform::ControlGroup;
use crate::process::ProcessId;

/// The directory of the records, below the instance's directory.
const DIR: &str = "keepers";

/// What a keeper runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A service, its prepare step or a probe.
    Service,
    /// The command of `portway exec`.
    Command,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    /// The service, or the program of a command.
    pub(crate) service: String,
    /// The pid of the keeper; 0 until it has started.
    pub(crate) pid: u32,
    /// The start time of the keeper, as in [`ProcessId`].
    pub(crate) started: u64,
    /// When the record was created, in milliseconds since 1970-01-01 UTC.
    pub(crate) created: u64,
    /// The control group of its processes.
    pub(crate) group: Option<PathBuf>,
    /// The session of the command, if it has a terminal.
    #[serde(default)]
    pub(crate) session: Option<u32>,
}

/// A record that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) record: Record,
    /// Whether the keeper lives.
    pub(crate) is_locked: bool,
    path: PathBuf,
}

impl Record {
    #[cfg(any(unix, test))]
    pub(crate) fn new(kind: Kind, service: &str) -> Self {
        Self {
            kind,
            service: service.to_owned(),
            pid: 0,
            started: 0,
            created: crate::now(),
            group: None,
            session: None,
        }
    }

    /// Returns whether the pid is one of this start of the machine, in which pids and start times begin
    /// again.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        const TOLERANCE: u64 = 60_000;
        let started = self.keeper().started_at();
        self.pid != 0 && started.is_some_and(|at| at.abs_diff(self.created) < TOLERANCE)
    }

    /// Returns the identity of the keeper.
    pub(crate) fn keeper(&self) -> ProcessId {
        ProcessId {
            pid: self.pid,
            started: self.started,
        }
    }
}

impl Found {
    /// Opens the control group. `None` if there is none, or the recorded one was not created for
    /// this record.
    pub(crate) fn group(&self) -> Option<ControlGroup> {
        let path = self.record.group.as_deref()?;
        let name = group_name(&self.path)?;
        (path.file_name()?.to_str() == Some(name.as_str())).then_some(())?;
        ControlGroup::open(path)
    }

    /// Returns the path of the record.
    #[cfg(unix)]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the record.
    pub(crate) fn remove(&self) {
        // Another process may have removed it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns the name of the control group of the record with this path: unique, and with the
/// instance's id.
pub(crate) fn group_name(record: &Path) -> Option<String> {
    let name = record.file_name()?.to_str()?;
    let id = record.parent()?.parent()?.file_name()?.to_str()?;
    Some(format!("portway-{id}-{name}"))
}

/// Reads the records of an instance.
pub(crate) fn read_all(dir: &Path) -> Vec<Found> {
    let entries = fs::read_dir(dir.join(DIR)).into_iter().flatten().flatten();
    entries.filter_map(|entry| read(entry.path())).collect()
}

fn read(path: PathBuf) -> Option<Found> {
    // A record that is still being created.
    if path.file_name()?.to_str()?.starts_with('.') {
        return None;
    }
    let file = File::open(&path).ok()?;
    // Shared, so that two readers at the same time do not take each other for the keeper.
    let is_locked = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let text = fs::read_to_string(&path).ok()?;
    match serde_json::from_str(&text) {
        Ok(record) => Some(Found {
            record,
            is_locked,
            path,
        }),
        Err(_) => {
            // The keeper was killed while it wrote the record, before it started anything.
            if !is_locked {
                let _ = fs::remove_file(&path);
            }
            None
        }
    }
}

#[cfg(unix)]
pub(crate) use own::{Own, pass_to};

/// Records of this process, and of keepers that it starts.
#[cfg(unix)]
mod own {
    use std::fs::OpenOptions;
    use std::io::{self, Write};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::fs::{FileExt, OpenOptionsExt};
    use std::process::Command;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::platform;

    /// The record that a keeper is started with: its locked file descriptor and its path.
    pub(crate) type Passed = (i32, PathBuf);

    /// Creates a record and passes it, locked, to a keeper. The lock is the keeper's from its first
    /// instruction. The caller drops the descriptor once the keeper is started.
    pub(crate) fn pass_to(
        command: &mut Command,
        dir: &Path,
        record: &Record,
    ) -> io::Result<(OwnedFd, Passed)> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let dir = dir.join(DIR);
        fs::create_dir_all(&dir)?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{number}", crate::now(), std::process::id());
        // A record appears under its name only when it is locked.
        let hidden = dir.join(format!(".{name}"));
        let mut options = OpenOptions::new();
        let mut file = options
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&hidden)?;
        let path = dir.join(name);
        let created = file
            .lock()
            .and_then(|()| file.write_all(&serde_json::to_vec(record)?))
            .and_then(|()| fs::rename(&hidden, &path));
        if let Err(error) = created {
            let _ = fs::remove_file(&hidden);
            return Err(error);
        }
        let lock = platform::inherit(command, file.into())?;
        let fd = lock.as_raw_fd();
        Ok((lock, (fd, path)))
    }

    /// The record of this keeper.
    #[derive(Debug)]
    pub(crate) struct Own {
        file: File,
        path: PathBuf,
    }

    impl Own {
        /// Takes the record that this keeper was started with.
        pub(crate) fn take((fd, path): &Passed) -> io::Result<Self> {
            Ok(Self {
                file: platform::take_inherited(*fd)?.into(),
                path: path.clone(),
            })
        }

        /// Returns the name of this keeper's control group.
        pub(crate) fn group_name(&self) -> Option<String> {
            group_name(&self.path)
        }

        /// Writes what is known before anything is started.
        pub(crate) fn write(&self, record: &Record) -> io::Result<()> {
            let text = serde_json::to_vec(record)?;
            self.file.write_all_at(&text, 0)?;
            self.file.set_len(text.len() as u64)
        }

        /// Removes the record, because no process is left.
        pub(crate) fn remove(self) {
            // A later command removes what cannot be removed now.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_belongs_to_one_record_of_one_instance() {
        let path = Path::new("/state/instances/0123/keepers/17-4-0");
        assert_eq!(group_name(path).as_deref(), Some("portway-0123-17-4-0"));
    }

    #[test]
    fn a_group_of_another_record_is_not_opened() {
        let found = |group: &str| Found {
            record: Record {
                group: Some(PathBuf::from(group)),
                ..Record::new(Kind::Service, "web")
            },
            is_locked: false,
            path: PathBuf::from("/state/instances/0123/keepers/17-4-0"),
        };
        assert!(found("/sys/fs/cgroup").group().is_none());
        assert!(
            found("/sys/fs/cgroup/portway-0124-17-4-0")
                .group()
                .is_none()
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_record_is_locked_while_its_keeper_lives() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new("true");
        let record = Record::new(Kind::Service, "web");
        let (lock, _) = pass_to(&mut command, dir.path(), &record).unwrap();
        let found = read_all(dir.path());
        assert!(found[0].is_locked);
        assert_eq!(found[0].record, record);
        // The command, which was not started, has no copy of the lock.
        drop((lock, command));
        let found = read_all(dir.path());
        assert!(!found[0].is_locked);
        found[0].remove();
        assert!(read_all(dir.path()).is_empty());
    }
}
