//! The processes that own listeners.

use std::path::PathBuf;

use crate::platform;

/// The identity of a process until the machine restarts. Pids are reused; a pid together with a
/// start time is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// The process number.
    pub pid: u32,
    /// The start time in the system's own unit and resolution: clock ticks since boot on Linux,
    /// microseconds since 1970 on macOS, tenths of a microsecond since 1601 on Windows. 0 on
    /// Windows if this user may not read it.
    pub started: u64,
}

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Process {
    /// The identity.
    pub id: ProcessId,
    /// The pid of the parent; 0 for the first process.
    pub parent: u32,
    /// The process group, which a shell uses for a job. 0 on Windows.
    pub group: u32,
    /// The number of the user it runs as, if the system reports it.
    pub user: Option<u32>,
    /// The short name.
    pub name: String,
    /// The command line, or the short name if the command line is hidden.
    pub command: String,
    /// The arguments of the command line, the program first; empty if they are hidden.
    pub args: Vec<String>,
    /// The working directory, if this user may read it.
    pub working_dir: Option<PathBuf>,
}

impl ProcessId {
    /// Reads the identity of the process with this pid. `None` if there is none or it is a zombie.
    #[must_use]
    pub fn read(pid: u32) -> Option<Self> {
        platform::process_id(pid)
    }

    /// Returns the start time in milliseconds since 1970-01-01 UTC, accurate to about 10 ms. `None`
    /// if the system does not report it.
    #[must_use]
    pub fn started_at(self) -> Option<u64> {
        platform::started_at(self)
    }

    /// Returns whether the process still runs. A zombie does not.
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::read(self.pid) == Some(self)
    }
}

impl Process {
    /// Returns a process without parent, group, user, arguments and directory, for tests of code
    /// that takes a process.
    #[must_use]
    pub fn new(id: ProcessId, name: &str) -> Self {
        Self {
            id,
            parent: 0,
            group: 0,
            user: None,
            name: name.to_owned(),
            command: name.to_owned(),
            args: Vec::new(),
            working_dir: None,
        }
    }

    /// Reads the process with this pid. `None` if there is none or it is a zombie.
    #[must_use]
    pub fn read(pid: u32) -> Option<Self> {
        platform::process(pid)
    }
}
