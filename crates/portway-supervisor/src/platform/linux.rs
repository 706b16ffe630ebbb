//! Linux: subreapers, pidfds, descriptors.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use portway_ports::{Process, ProcessId, descendants, send_signal};
use portway_project::manifest::StopSignal;
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, set_child_subreaper, set_parent_process_death_signal, waitpid,
};

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

pub(crate) fn signal(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Term => Signal::TERM,
        StopSignal::Int => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Hup => Signal::HUP,
        StopSignal::Usr1 => Signal::USR1,
        StopSignal::Usr2 => Signal::USR2,
        StopSignal::Kill => Signal::KILL,
    }
}

fn pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Sends `signal` to everything below this process.
pub(crate) fn signal_descendants(signal: Signal) {
    for process in descendants(getpid().as_raw_nonzero().get().unsigned_abs()) {
        let _ = send_signal(process, signal);
    }
}

/// Ends everything that has fallen to this process because the keeper above it vanished: every
/// child that is none of `keepers`. Answers true when nothing of it is left.
pub(crate) fn end_orphans(keepers: &BTreeSet<u32>, by_force: bool) -> bool {
    let own = getpid().as_raw_nonzero().get().unsigned_abs();
    let below = descendants(own);
    let orphans: Vec<ProcessId> = below
        .iter()
        .copied()
        .filter(|process| !keepers.contains(&process.pid))
        .filter(|process| Process::read(process.pid).is_some_and(|p| p.parent == own))
        .collect();
    for orphan in &orphans {
        let signal = if by_force { Signal::KILL } else { Signal::TERM };
        for process in descendants(orphan.pid) {
            let _ = send_signal(process, signal);
        }
        let _ = send_signal(*orphan, signal);
        if let Some(pid) = pid(orphan.pid) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
    orphans.is_empty()
}

/// The child is killed when the thread that starts it ends. Only its first process: this is the
/// belt for the case that keeper and supervisor are killed together.
pub(crate) fn die_with_parent(command: &mut Command) {
    // SAFETY: the closure runs between fork and exec and makes one system call, without memory
    // allocation or locks.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

/// The descriptor at which a service finds its listening socket (`SD_LISTEN_FDS_START`).
const LISTEN_FD: i32 = 3;

/// Passes a listening socket to the process as descriptor 3, and through it to its children.
pub(crate) fn pass_socket(command: &mut tokio::process::Command, socket: std::net::TcpListener) {
    // SAFETY: the closure runs between fork and exec. `dup2` and `fcntl` are system calls that
    // neither allocate nor lock. Descriptor 3 is taken as owned only for the call and never closed.
    // The library's own pipe to the child cannot lie there: the parent has had descriptor 3 open
    // since its start.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || {
            if socket.as_raw_fd() == LISTEN_FD {
                rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty())?;
            } else {
                let mut target = std::mem::ManuallyDrop::new(OwnedFd::from_raw_fd(LISTEN_FD));
                rustix::io::dup2(socket.as_fd(), &mut target)?;
            }
            Ok(())
        });
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
