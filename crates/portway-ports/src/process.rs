//! Processes: who they are, and which belong to one tree.

use std::io;
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
    /// Its process group: the job of a shell that it belongs to. 0 where there is no such thing.
    pub group: u32,
    /// The user that it runs as, where the system tells.
    pub user: Option<u32>,
    /// The short name.
    pub name: String,
    /// The command line, or the short name where that is hidden.
    pub command: String,
    /// The command line's words, as they were given; empty where that is hidden.
    pub words: Vec<String>,
    /// The working directory, where this user may see it.
    pub dir: Option<PathBuf>,
}

impl ProcessId {
    /// When it started, in milliseconds since 1970-01-01 UTC, to about a hundredth of a second;
    /// `None` where the system does not tell.
    pub fn started_at(self) -> Option<u64> {
        platform::started_at(self)
    }

    /// Asks it to end (SIGTERM). A pid that has come to mean another process is left alone.
    ///
    /// # Errors
    /// When this user may not, or it is gone.
    pub fn ask_to_end(self) -> io::Result<()> {
        platform::ask_to_end(self)
    }

    /// Ends it at once (SIGKILL). A pid that has come to mean another process is left alone.
    ///
    /// # Errors
    /// When this user may not, or it is gone.
    pub fn kill(self) -> io::Result<()> {
        platform::kill(self)
    }

    /// Whether it still runs; a zombie does not.
    pub fn is_alive(self) -> bool {
        Process::read(self.pid).is_some_and(|process| process.id == self)
    }
}

impl Process {
    /// The process with this pid, or `None` when there is none or it is already dead.
    pub fn read(pid: u32) -> Option<Self> {
        platform::process(pid)
    }
}

/// Its parents, the nearest first, up to the first process of the machine, which is left out.
pub fn ancestors(pid: u32) -> Vec<Process> {
    let mut all = Vec::new();
    let mut next = Process::read(pid);
    // A circle is not possible, but a chain that is read while it changes might look like one.
    while let Some(process) = next.take().filter(|_| all.len() < 100) {
        if process.parent > 1 {
            next = Process::read(process.parent);
            all.extend(next.clone());
        }
    }
    all
}

/// The user that this process acts as.
pub fn own_user() -> u32 {
    platform::own_user()
}

/// The name of a user, where the machine knows one.
pub fn user_name(user: u32) -> Option<String> {
    platform::user_name(user)
}

/// The container that a process runs in, as the container engine or the system names it: a short
/// id, or a name; `None` for a process of the machine itself.
pub fn container(pid: u32) -> Option<String> {
    platform::container(pid)
}

/// The value of a variable that a process was started with; `None` where it has no such variable
/// or this user may not see it.
pub fn variable(pid: u32, name: &str) -> Option<String> {
    platform::variable(pid, name)
}

/// The pids of all processes that this user may look at.
pub fn pids() -> Vec<u32> {
    platform::pids().collect()
}

/// Every process below `root`, children before grandchildren, without `root` itself.
pub fn descendants(root: u32) -> Vec<ProcessId> {
    platform::descendants(root)
}

/// The pids of `root` and of everything below it, quickly: where a process ends in the same instant,
/// one beside it may be missing. [`descendants`] is slower and certain.
pub fn tree(root: u32) -> Vec<u32> {
    platform::tree(root)
}

/// The first of `pids` that has `socket` open.
pub fn owner_among(pids: impl IntoIterator<Item = u32>, socket: u64) -> Option<u32> {
    pids.into_iter()
        .find(|&pid| platform::has_open(pid, socket))
}

/// Sends a signal to exactly this process.
///
/// # Errors
/// When this user may not, or it is gone.
#[cfg(unix)]
pub fn send_signal(process: ProcessId, signal: rustix::process::Signal) -> io::Result<()> {
    platform::send_signal(process, signal)
}
