//! What Linux and macOS share: signals, descriptors, local sockets.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use crate::process::{descendants, send_signal};
use portway_ports::{Process, ProcessId};
use portway_project::policy::StopSignal;
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::SignalKind;

/// What a keeper's reports are read from.
pub(crate) type ReportReader = tokio::net::unix::OwnedReadHalf;

/// What a keeper gets its orders through.
pub(crate) type OrderWriter = tokio::net::unix::OwnedWriteHalf;

/// A pair of sockets: ours in two halves, the keeper's as its standard input.
pub(crate) fn link(
    command: &mut tokio::process::Command,
) -> io::Result<(ReportReader, OrderWriter, ())> {
    let (ours, theirs) = UnixStream::pair()?;
    let theirs = theirs.into_std()?;
    theirs.set_nonblocking(false)?;
    command.stdin(Stdio::from(OwnedFd::from(theirs)));
    let (reports, orders) = ours.into_split();
    Ok((reports, orders, ()))
}

/// A process of Portway's own that no Ctrl-C is for: it takes itself aside.
pub(crate) fn aside(_command: &mut tokio::process::Command) {}

/// One byte always fits; a keeper that is gone needs no order.
pub(crate) fn send_order(orders: &OrderWriter, order: u8) {
    let _ = orders.try_write(&[order]);
}

/// Has `tell` called with the number of each signal that asks this process to end.
pub(crate) fn on_signals(tell: impl Fn(i32) + Clone + Send + 'static) -> io::Result<()> {
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut stream = tokio::signal::unix::signal(kind)?;
        let tell = tell.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                tell(kind.as_raw_value());
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

/// Sends `signal` to everything that belongs to this keeper.
pub(crate) fn signal_tree(signal: Signal) {
    for process in super::tree() {
        let _ = send_signal(process, signal);
    }
}

/// Makes this process the parent of everything below it that loses its own.
pub(crate) fn reap_descendants() -> io::Result<()> {
    super::become_reaper()
}

/// Ends everything that has fallen to this process because the keeper above it vanished: every
/// child that is none of `keepers`. Answers true when nothing of it is left.
pub(crate) fn stop_orphans(keepers: &BTreeSet<u32>, by_force: bool) -> bool {
    let own = std::process::id();
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

/// The descriptor at which a service finds its listening socket (`SD_LISTEN_FDS_START`).
const LISTEN_FD: i32 = 3;

/// Passes a listening socket to the process as descriptor 3, and through it to its children.
#[allow(clippy::unnecessary_wraps, reason = "other systems cannot")]
pub(crate) fn pass_socket(
    command: &mut tokio::process::Command,
    socket: std::net::TcpListener,
) -> io::Result<()> {
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
    Ok(())
}

/// The way in to a running instance.
pub(crate) type ControlStream = UnixStream;

/// Reaches the instance whose control socket lies at `path`.
pub(crate) async fn connect(path: &Path) -> io::Result<ControlStream> {
    let (short, _dir) = super::socket_path(path)?;
    UnixStream::connect(short).await
}

/// Accepts connections of this user (and of root) only.
pub(crate) struct ControlListener(UnixListener);

impl ControlListener {
    /// The caller has the instance's lock, so a socket that lies there is stale.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        let _ = fs::remove_file(path);
        let listener = {
            let (short, _dir) = super::socket_path(path)?;
            UnixListener::bind(short)?
        };
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self(listener))
    }
}

impl axum::serve::Listener for ControlListener {
    type Io = UnixStream;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> (UnixStream, Self::Addr) {
        loop {
            let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
            let own = rustix::process::geteuid().as_raw();
            if stream
                .peer_cred()
                .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
            {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}
