//! Linux and macOS: signals, file descriptors and local sockets.

mod control;
mod launcher;
mod terminal;

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use portway_project::policy::StopSignal;
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, getrlimit, setrlimit, waitpid};
use tokio::net::UnixStream;
use tokio::signal::unix::SignalKind;

use crate::process::{Process, ProcessId, descendants, send_signal};

pub(crate) use control::{ControlListener, connect};
pub(crate) use launcher::{hang_up_with, remove_variable};
pub(crate) use terminal::{
    open_terminal, open_terminal_of_service, resize_terminal, take_terminal, watch,
};

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

/// Creates a socket pair for a keeper whose standard input is the command's. The keeper gets the
/// returned descriptor under the same number.
pub(crate) fn connect_foreground(
    command: &mut std::process::Command,
) -> io::Result<(ReportReader, CommandWriter, OwnedFd)> {
    let (local, remote) = UnixStream::pair()?;
    let remote = remote.into_std()?;
    remote.set_nonblocking(false)?;
    let remote = inherit(command, remote.into())?;
    let (reports, commands) = local.into_split();
    Ok((reports, commands, remote))
}

/// Does nothing: Portway's own child processes start a new session, so Ctrl-C does not reach them.
pub(crate) fn detach_from_console(_command: &mut tokio::process::Command) {}

/// Sends a command to a keeper.
pub(crate) fn send_command(commands: &CommandWriter, command: u8) {
    // The socket always has space for one byte. The write fails only if the keeper is gone.
    let _ = commands.try_write(&[command]);
}

/// Whether a signal ends this process at once, because nothing is left to stop.
static SIGNALS_END: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Lets each further signal that [`on_signal`] handled end this process.
pub(crate) fn let_signals_end_process() {
    SIGNALS_END.store(true, Ordering::Relaxed);
}

/// Calls `handler` with the number of each signal that requests this process to stop.
pub(crate) fn on_signal(handler: impl Fn(i32) + Clone + Send + 'static) -> io::Result<()> {
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let number = kind.as_raw_value();
        signal_hook::flag::register_conditional_default(number, SIGNALS_END.clone())?;
        let mut stream = tokio::signal::unix::signal(kind)?;
        let handler = handler.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                handler(number);
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

/// Passes a file descriptor to a child under the same number. The caller keeps the returned descriptor
/// until the child is started.
pub(crate) fn inherit(
    command: &mut std::process::Command,
    descriptor: OwnedFd,
) -> io::Result<OwnedFd> {
    // The lower numbers are the streams and a passed socket.
    const LOWEST: i32 = 10;
    let descriptor = rustix::io::fcntl_dupfd_cloexec(&descriptor, LOWEST)?;
    let number = descriptor.as_raw_fd();
    // SAFETY: the closure runs between fork and exec. `fcntl` neither allocates nor locks. The number
    // is borrowed during the call only, and open because the caller keeps the descriptor.
    #[allow(unsafe_code)]
    unsafe {
        std::os::unix::process::CommandExt::pre_exec(command, move || {
            let descriptor = std::os::fd::BorrowedFd::borrow_raw(number);
            Ok(rustix::io::fcntl_setfd(
                descriptor,
                rustix::io::FdFlags::empty(),
            )?)
        });
    }
    Ok(descriptor)
}

/// Takes a file descriptor that [`inherit`] passed to this process. Its own children do not get it.
pub(crate) fn take_inherited(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the parent passed the number for this process alone, which takes it once. If it is not
    // open, the next call fails and the value is not closed.
    #[allow(unsafe_code)]
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    if let Err(error) = rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC) {
        std::mem::forget(descriptor);
        return Err(error.into());
    }
    Ok(descriptor)
}

/// Continues a suspended child that was not waited for.
pub(crate) fn wake(child: u32) {
    if let Some(pid) = pid(child) {
        // The child may be a zombie.
        let _ = rustix::process::kill_process(pid, Signal::CONT);
    }
}

/// Kills a child that was not waited for.
pub(crate) fn kill_child(child: u32) {
    if let Some(pid) = pid(child) {
        // The child may be a zombie.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

/// Suspends a process.
pub(crate) fn suspend(process: ProcessId) {
    // A process that this user may not signal is killed in vain, too, and reported then.
    let _ = send_signal(process, Signal::STOP);
}

/// Suspends or kills the processes of a process group, all at the same moment.
pub(crate) fn signal_group(group: u32, is_kill: bool) {
    let signal = if is_kill { Signal::KILL } else { Signal::STOP };
    if let Some(group) = pid(group).filter(|pid| !pid.is_init()) {
        // The last process may have exited meanwhile.
        let _ = rustix::process::kill_process_group(group, signal);
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

/// Signals every child of this process that `is_orphan`, with its descendants: SIGTERM, or SIGKILL
/// with `kill`. Returns the orphans that are left.
pub(crate) fn stop_orphans(kill: bool, is_orphan: &dyn Fn(ProcessId) -> bool) -> Vec<ProcessId> {
    let own = std::process::id();
    if kill {
        // Fast enough for a process that forks and exits again and again.
        const ROUNDS: u32 = 100;
        let mut rounds = 0..ROUNDS;
        while rounds.next().is_some() && super::kill_child_orphans(is_orphan) {}
    }
    let below = descendants(own);
    let orphans: Vec<ProcessId> = below
        .iter()
        .copied()
        .filter(|process| Process::read(process.pid).is_some_and(|p| p.parent == own))
        .filter(|process| is_orphan(*process))
        .collect();
    for orphan in &orphans {
        let signal = if kill { Signal::KILL } else { Signal::TERM };
        // Processes that have exited meanwhile are missing in the next round.
        for process in descendants(orphan.pid) {
            let _ = send_signal(process, signal);
        }
        let _ = send_signal(*orphan, signal);
        reap(orphan.pid);
    }
    orphans
}

/// Waits for a child that has exited. Does nothing if it still runs.
pub(crate) fn reap(child: u32) {
    if let Some(pid) = pid(child) {
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

/// Reports when children of this process have exited.
pub(crate) struct ChildExits(tokio::signal::unix::Signal);

impl ChildExits {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(tokio::signal::unix::signal(SignalKind::child())?))
    }

    /// Waits until a child has exited since the last call.
    pub(crate) async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// The limit of open files that this process got from its caller, if it was raised.
static CALLERS_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// How many files a process may open on macOS where the hard limit is higher than the kernel allows
/// (`OPEN_MAX`).
const OPEN_MAX: u64 = 10_240;

/// Raises the soft limit of open files to the hard one. A process that this one starts gets the
/// caller's limit back from [`restore_open_files_limit`].
pub(crate) fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raise = |current: Option<u64>| {
        let maximum = limit.maximum;
        setrlimit(Resource::Nofile, Rlimit { current, maximum })
    };
    let is_lower = |wanted: u64| limit.current.is_some_and(|current| current < wanted);
    let is_raised = limit.current != limit.maximum
        && (raise(limit.maximum).is_ok() || (is_lower(OPEN_MAX) && raise(Some(OPEN_MAX)).is_ok()));
    if is_raised {
        // Set once: a second call finds nothing to raise.
        let _ = CALLERS_LIMIT.set(limit);
    }
}

/// Makes a process start with the limit of open files that this process got from its caller. Programs
/// that use `select` misbehave with a higher one.
pub(crate) fn restore_open_files_limit(command: &mut std::process::Command) {
    let Some(limit) = CALLERS_LIMIT.get() else {
        return;
    };
    let (current, maximum) = (limit.current, limit.maximum);
    // SAFETY: the closure runs between fork and exec. It makes one system call and neither allocates
    // nor locks.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(move || Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?));
    }
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
