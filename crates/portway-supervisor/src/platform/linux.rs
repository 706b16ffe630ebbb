//! Linux: subreapers, and what `/proc` is good for.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::descendants;
use portway_ports::ProcessId;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Signal, getpid, set_child_subreaper, set_parent_process_death_signal};

/// A keeper is told of the end of everything below it.
pub(crate) const REAPS_ALL: bool = true;

/// The binary that runs now, to be executed again even if the file was replaced meanwhile.
pub(crate) fn own_binary() -> io::Result<PathBuf> {
    // A replaced file reads as `… (deleted)`, which does not exist; the link still leads to it.
    let path = std::env::current_exe()?;
    Ok(if path.exists() {
        path
    } else {
        PathBuf::from("/proc/self/exe")
    })
}

/// A process below this one that loses its parent becomes this one's child.
pub(crate) fn become_reaper() -> io::Result<()> {
    // The value only has to be something; the call is about this process.
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Everything that belongs to this keeper.
pub(crate) fn tree() -> Vec<ProcessId> {
    descendants(std::process::id())
}

/// The child is killed when the thread that starts it ends. Only its first process: this is the
/// belt for the case that keeper and supervisor are killed together.
pub(crate) fn tie_to_keeper(command: &mut Command) {
    // SAFETY: the closure runs between fork and exec and makes one system call, without memory
    // allocation or locks.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

/// Waits until the terminal that this process was started from is gone. Where there is none, for
/// ever. SIGHUP says the same, but not to a process that inherited it as ignored or that runs in
/// the background.
pub(crate) async fn terminal_closed() {
    use rustix::event::{PollFd, PollFlags, poll};
    let (closed, waits) = tokio::sync::oneshot::channel();
    // A thread of its own, for nothing may be read from the terminal and only "hung up" is of
    // interest: that is the one thing that `poll` reports without being asked for anything.
    std::thread::spawn(move || {
        let Ok(terminal) = std::fs::File::open("/dev/tty") else {
            return;
        };
        loop {
            let mut fd = [PollFd::new(&terminal, PollFlags::empty())];
            match poll(&mut fd, None) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
        let _ = closed.send(());
    });
    if waits.await.is_err() {
        std::future::pending().await
    }
}

/// A path for a local socket that fits into the 108 bytes that the kernel has for it, however long
/// the real one is: through a descriptor of its directory, which must be kept open while the path
/// is used.
pub(crate) fn socket_path(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    const MAX: usize = 107;
    if path.as_os_str().len() <= MAX {
        return Ok((path.to_owned(), None));
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let dir: OwnedFd = std::fs::File::open(dir)?.into();
    let short = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string());
    Ok((short.join(name), Some(dir)))
}

/// The process that listens on the local socket at `path`. It is connected to and let go of at
/// once, without waiting for an answer.
pub(crate) fn serves(path: &Path) -> Option<u32> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    let (short, _dir) = socket_path(path).ok()?;
    connect(&socket, &SocketAddrUnix::new(short).ok()?).ok()?;
    let peer = socket_peercred(&socket).ok()?;
    u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
}
