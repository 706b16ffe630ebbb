//! macOS: no subreapers, so an environment variable identifies the processes of a keeper.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Process, ProcessId, descendants, env_var, pids};

/// Whether a keeper becomes the parent of every descendant whose own parent exits. Here `launchd`
/// does.
pub(crate) const REAPS_ALL: bool = false;

/// The variable that a keeper sets for its leader, and that all processes of the tree inherit.
const KEEPER_VARIABLE: &str = "PORTWAY_KEEPER";

/// Returns the path of the running binary.
pub(crate) fn own_binary() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// Does nothing: macOS has no subreapers.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn become_reaper() -> io::Result<()> {
    Ok(())
}

/// Returns the value of the variable for this keeper: its pid and start time, which are unique.
fn own_value() -> Option<String> {
    let id = Process::read(std::process::id())?.id;
    Some(format!("{}.{}", id.pid, id.started))
}

/// Returns all processes of this keeper: its descendants, and other processes with its variable.
pub(crate) fn tree() -> Vec<ProcessId> {
    let own = std::process::id();
    let mut all = descendants(own);
    let value = own_value();
    let marked = pids()
        .into_iter()
        .filter(|&pid| pid != own && value.is_some() && env_var(pid, KEEPER_VARIABLE) == value);
    for process in marked.filter_map(Process::read) {
        if !all.contains(&process.id) {
            all.push(process.id);
        }
    }
    all
}

/// Sets the variable for the leader. macOS cannot kill a process together with its parent.
pub(crate) fn tie_to_keeper(command: &mut Command) {
    if let Some(value) = own_value() {
        command.env(KEEPER_VARIABLE, value);
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
