//! macOS: no subreapers, so an environment variable identifies the processes of a keeper.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mark;
use crate::process::{Process, ProcessId, descendants, env_var, pids};

/// Whether a keeper becomes the parent of every descendant whose own parent exits. Here `launchd`
/// does.
pub(crate) const REAPS_ALL: bool = false;

/// Returns the path of the running binary.
pub(crate) fn own_binary() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Does nothing: macOS has no subreapers.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn become_reaper() -> io::Result<()> {
    Ok(())
}

/// Returns the value of the variable for this keeper.
fn own_value() -> Option<String> {
    let id = Process::read(std::process::id())?.id;
    Some(mark::keeper_value(id))
}

/// Returns all processes of this keeper: its descendants, and other processes with its variable.
pub(crate) fn tree() -> Vec<ProcessId> {
    let own = std::process::id();
    let mut all = descendants(own);
    let value = own_value();
    let marked = pids()
        .into_iter()
        .filter(|&pid| pid != own && value.is_some() && env_var(pid, mark::KEEPER_NAME) == value);
    for process in marked.filter_map(Process::read) {
        if !all.contains(&process.id) {
            all.push(process.id);
        }
    }
    all
}

/// Does nothing: there are no PID namespaces.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn check_processes() -> io::Result<()> {
    Ok(())
}

/// Returns the session of a process.
pub(crate) fn session(process: u32) -> Option<u32> {
    let pid = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let session = rustix::process::getsid(Some(pid?)).ok()?;
    u32::try_from(session.as_raw_nonzero().get()).ok()
}

/// Returns the process group of a process.
pub(crate) fn process_group(process: u32) -> Option<u32> {
    let pid = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let group = rustix::process::getpgid(Some(pid?)).ok()?;
    u32::try_from(group.as_raw_nonzero().get()).ok()
}

/// Returns `None`: the system does not report it.
pub(crate) fn latest_pid() -> Option<u32> {
    None
}

/// Returns no pids: `launchd` adopts orphans.
pub(crate) fn zombies() -> BTreeSet<u32> {
    BTreeSet::new()
}

/// Returns false: `launchd` adopts orphans.
pub(crate) fn kill_child_orphans(_is_orphan: &dyn Fn(ProcessId) -> bool) -> bool {
    false
}

/// Kills the processes of this keeper.
pub(crate) fn kill_children() {
    super::signal_tree(rustix::process::Signal::KILL);
}

/// Sets the variable for the leader. macOS cannot kill a process together with its parent.
pub(crate) fn tie_to_keeper(command: &mut Command) {
    if let Some(value) = own_value() {
        command.env(mark::KEEPER_NAME, value);
    }
}

/// Never returns: `poll` does not work on terminals, so SIGHUP is the only report.
pub(crate) async fn terminal_closed() {
    std::future::pending().await
}

/// Returns `path` if it fits into the kernel's limit of 104 bytes for local sockets.
pub(crate) fn socket_path(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    const MAX: usize = 103;
    if path.as_os_str().len() <= MAX {
        return Ok((path.to_owned(), None));
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "`{}` is longer than the {MAX} bytes that macOS allows for a local socket; \
             set XDG_STATE_HOME to a shorter directory",
            path.display()
        ),
    ))
}

/// Returns `None`: the owner of a listening socket is known without a connection to its supervisor.
pub(crate) fn server_pid(_path: &Path) -> Option<u32> {
    None
}

/// Returns whether a process listens on the local socket at `path`.
pub(crate) fn is_served(path: &Path) -> bool {
    socket_path(path).is_ok_and(|(path, _)| UnixStream::connect(path).is_ok())
}

/// Returns `None`: macOS has no abstract addresses.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn alias_listener(_path: &Path) -> io::Result<Option<UnixListener>> {
    Ok(None)
}

/// Fails: macOS has no abstract addresses.
pub(crate) fn connect_alias(_path: &Path) -> io::Result<UnixStream> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}
