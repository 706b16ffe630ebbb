//! Linux and macOS: signals, file descriptors and local sockets.

mod control;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;

use portway_project::policy::StopSignal;
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use tokio::net::UnixStream;
use tokio::signal::unix::SignalKind;

use crate::process::{Process, ProcessId, descendants, send_signal};

pub(crate) use control::{ControlListener, connect};

/// Reads a keeper's reports.
pub(crate) type ReportReader = tokio::net::unix::OwnedReadHalf;

/// Sends commands to a keeper.
pub(crate) type CommandWriter = tokio::net::unix::OwnedWriteHalf;

/// Creates a socket pair. One socket becomes the keeper's standard input; the halves of the other are
/// returned.
pub(crate) fn connect_keeper(
    command: &mut tokio::process::Command,
) -> io::Result<(ReportReader, CommandWriter, ())> {
    let (local, remote) = UnixStream::pair()?;
    let remote = remote.into_std()?;
    remote.set_nonblocking(false)?;
    command.stdin(Stdio::from(OwnedFd::from(remote)));
    let (reports, commands) = local.into_split();
    Ok((reports, commands, ()))
}

/// Does nothing: Portway's own child processes start a new session, so Ctrl-C does not reach them.
pub(crate) fn detach_from_console(_command: &mut tokio::process::Command) {}

/// Sends a command to a keeper.
pub(crate) fn send_command(commands: &CommandWriter, command: u8) {
    // The socket always has space for one byte. The write fails only if the keeper is gone.
    let _ = commands.try_write(&[command]);
}

/// Calls `handler` with the number of each signal that requests this process to stop.
pub(crate) fn on_signal(handler: impl Fn(i32) + Clone + Send + 'static) -> io::Result<()> {
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut stream = tokio::signal::unix::signal(kind)?;
        let handler = handler.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                handler(kind.as_raw_value());
            }
        });
    }
    Ok(())
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

/// Sends `signal` to all processes of this keeper.
pub(crate) fn signal_tree(signal: Signal) {
    for process in super::tree() {
        // A process may have exited since the tree was read.
        let _ = send_signal(process, signal);
    }
}

/// Makes this process the parent of every descendant whose own parent exits.
pub(crate) fn reap_descendants() -> io::Result<()> {
    super::become_reaper()
}

/// Signals every child of this process that is not one of `keepers`, with its descendants: SIGTERM,
/// or SIGKILL with `kill`. Returns whether none is left.
pub(crate) fn stop_orphans(keepers: &BTreeSet<u32>, kill: bool) -> bool {
    let own = std::process::id();
    let below = descendants(own);
    let orphans: Vec<ProcessId> = below
        .iter()
        .copied()
        .filter(|process| !keepers.contains(&process.pid))
        .filter(|process| Process::read(process.pid).is_some_and(|p| p.parent == own))
        .collect();
    for orphan in &orphans {
        let signal = if kill { Signal::KILL } else { Signal::TERM };
        // Processes that have exited meanwhile are missing in the next round.
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

/// The file descriptor of a passed listening socket (`SD_LISTEN_FDS_START`).
const LISTEN_FD: i32 = 3;

/// Passes a listening socket to the process and its children as file descriptor 3.
#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn pass_socket(
    command: &mut tokio::process::Command,
    socket: std::net::TcpListener,
) -> io::Result<()> {
    // SAFETY: the closure runs between fork and exec. `dup2` and `fcntl` neither allocate nor lock.
    // Descriptor 3 is owned only during the call and never closed. It cannot be the library's own
    // pipe to the child, because the parent has had descriptor 3 open since its start.
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
    Ok(())
}

/// Connects to the Unix socket of a service.
pub(crate) async fn connect_unix(path: &Path) -> io::Result<()> {
    let (short, _dir) = super::socket_path(path)?;
    UnixStream::connect(short).await.map(drop)
}
