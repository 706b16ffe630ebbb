//! macOS: no subreaper, so what belongs to a keeper is known by a mark.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{descendants, env_var, pids};
use portway_ports::{Process, ProcessId};

/// What loses its parent falls to `launchd`, whose children nobody else is told of.
pub(crate) const REAPS_ALL: bool = false;

/// What a keeper puts into its service's environment, so that it knows what belongs to it.
const MARK: &str = "PORTWAY_KEEPER";

/// The binary that runs now.
pub(crate) fn own_binary() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// There is no such thing here.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn become_reaper() -> io::Result<()> {
    Ok(())
}

/// This keeper's pid and start time, which no other process ever has.
fn own_mark() -> Option<String> {
    let id = Process::read(std::process::id())?.id;
    Some(format!("{}.{}", id.pid, id.started))
}

/// Everything that belongs to this keeper: what is below it, and what carries its mark wherever it
/// hangs by now.
pub(crate) fn tree() -> Vec<ProcessId> {
    let own = std::process::id();
    let mut all = descendants(own);
    let mark = own_mark();
    let marked = pids()
        .into_iter()
        .filter(|&pid| pid != own && mark.is_some() && variable(pid, MARK) == mark);
    for process in marked.filter_map(Process::read) {
        if !all.contains(&process.id) {
            all.push(process.id);
        }
    }
    all
}

/// Marks the service as this keeper's. The system cannot end it together with its parent.
pub(crate) fn tie_to_keeper(command: &mut Command) {
    if let Some(mark) = own_mark() {
        command.env(MARK, mark);
    }
}

/// The system sends SIGHUP, and that is all: `poll` does not work on terminals here.
pub(crate) async fn terminal_closed() {
    std::future::pending().await
}

/// A path for a local socket, for which the kernel has 104 bytes.
pub(crate) fn socket_path(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    const MAX: usize = 103;
    if path.as_os_str().len() <= MAX {
        return Ok((path.to_owned(), None));
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "`{}` is longer than the {MAX} bytes that macOS has for a local socket; \
             set XDG_STATE_HOME to a shorter directory",
            path.display()
        ),
    ))
}

/// Not asked: a listening socket names its owner here, and nobody has to look for it.
pub(crate) fn serves(_path: &Path) -> Option<u32> {
    None
}
