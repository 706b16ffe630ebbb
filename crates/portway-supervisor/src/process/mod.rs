//! Process trees, and the other properties of processes that a supervisor reads.
//!
//! `portway-ports` identifies processes and reads single ones; this module adds the relations
//! between them, their users, containers, environments and resource usage, and signals.

mod platform;
mod tree;
mod usage;

use std::io;

pub use portway_ports::{Process, ProcessId};
pub use tree::{ProcessTree, root_index};
pub use usage::{Usage, usage};

/// Maximum number of ancestors that are followed. A chain that changes while it is read could
/// otherwise appear to be endless.
const MAX_ANCESTORS: usize = 100;

/// Returns the ancestors of a process, the parent first, up to but without the first process of the
/// machine.
pub fn ancestors(pid: u32) -> Vec<Process> {
    let mut all = Vec::new();
    let mut next = Process::read(pid);
    while let Some(process) = next.take().filter(|_| all.len() < MAX_ANCESTORS) {
        if process.parent > 1 {
            next = Process::read(process.parent);
            all.extend(next.clone());
        }
    }
    all
}

/// Returns every process below `root`, children before grandchildren, without `root` itself.
pub fn descendants(root: u32) -> Vec<ProcessId> {
    platform::descendants(root)
}

/// Returns the pids of `root` and its descendants, faster than [`descendants`]. If a process exits
/// during the call, one of its siblings may be missing.
pub fn tree_pids(root: u32) -> Vec<u32> {
    platform::tree_pids(root)
}

/// Returns the pids of all processes that this user may see.
pub fn pids() -> Vec<u32> {
    platform::pids()
}

/// Returns the value of an environment variable with which a process was started. `None` if it was
/// not set or this user may not read it.
pub fn env_var(pid: u32, name: &str) -> Option<String> {
    platform::env_var(pid, name)
}

/// Returns the container in which a process runs: the short id of a container engine, or the name
/// of an LXC or systemd container. `None` for a process outside of containers, and always on macOS
/// and Windows.
pub fn container(pid: u32) -> Option<String> {
    platform::container(pid)
}

/// Returns whether a process is suspended (SIGSTOP, Ctrl-Z, a debugger). Always false on Windows.
pub fn is_suspended(pid: u32) -> bool {
    platform::is_suspended(pid)
}

/// Returns the number of the user as which this process acts.
pub fn current_user() -> u32 {
    platform::current_user()
}

/// Returns the name of a user, if the system reports it.
pub fn user_name(user: u32) -> Option<String> {
    platform::user_name(user)
}

/// Requests a process to stop (SIGTERM). A process that reuses the pid is not affected.
///
/// # Errors
/// Fails if this user may not signal the process, if it is gone, and always on Windows.
pub fn terminate(process: ProcessId) -> io::Result<()> {
    platform::terminate(process)
}

/// Kills a process (SIGKILL). A process that reuses the pid is not affected.
///
/// # Errors
/// Fails if this user may not signal the process or if it is gone.
pub fn kill(process: ProcessId) -> io::Result<()> {
    platform::kill(process)
}

/// Sends a signal to a process. A process that reuses the pid is not affected.
///
/// # Errors
/// Fails if this user may not signal the process or if it is gone.
#[cfg(unix)]
pub fn send_signal(process: ProcessId, signal: rustix::process::Signal) -> io::Result<()> {
    platform::send_signal(process, signal)
}
