//! Processes: who they are, and which belong to one tree.

use std::path::PathBuf;

use crate::platform;

/// What identifies a process for as long as the machine runs. A pid alone is used again; a pid
/// with its start time is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId {
    /// The process number.
    pub pid: u32,
    /// When it started, in the system's own unit (Linux: clock ticks since boot).
    pub started: u64,
}

/// One running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its identity.
    pub id: ProcessId,
    /// The pid of its parent; 0 for the first process.
    pub parent: u32,
    /// The short name.
    pub name: String,
    /// The command line, or the short name where that is hidden.
    pub command: String,
    /// The working directory, where this user may see it.
    pub dir: Option<PathBuf>,
}

impl Process {
    /// The process with this pid, or `None` when there is none or it is already dead.
    pub fn read(pid: u32) -> Option<Self> {
        platform::process(pid)
    }
}

/// Whether a process was started with this environment variable, written `NAME=value`; false where
/// this user may not see it.
pub fn has_variable(pid: u32, variable: &str) -> bool {
    platform::has_variable(pid, variable)
}

/// Every process below `root`, children before grandchildren, without `root` itself.
pub fn descendants(root: u32) -> Vec<ProcessId> {
    platform::descendants(root)
}

/// The first of `pids` that has `socket` open.
pub fn owner_among(pids: impl IntoIterator<Item = u32>, socket: u64) -> Option<u32> {
    pids.into_iter()
        .find(|&pid| platform::has_open(pid, socket))
}
