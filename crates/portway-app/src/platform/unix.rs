//! Linux and macOS.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Resource, Signal as SignalNumber, getrlimit, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::DiskSpace;

/// Does nothing: a background process calls [`leave_terminal`].
pub(crate) fn in_background(_command: &mut Command) {}

/// Starts a new session, so that this process receives no signals of the terminal.
pub(crate) fn leave_terminal() {
    let _ = rustix::process::setsid();
}

/// Replaces standard output with the null device, which closes the pipe to the parent.
pub(crate) fn close_stdout() {
    if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

/// Returns the free space of the file system that contains `dir`.
pub(crate) fn disk_space(dir: &Path) -> Option<DiskSpace> {
    let stats = rustix::fs::statvfs(dir).ok()?;
    Some(DiskSpace {
        free: stats.f_bavail.saturating_mul(stats.f_frsize),
        files: (stats.f_files > 0).then_some(stats.f_favail),
    })
}

/// Returns how many files a supervisor may open; `None` for no limit.
pub(crate) fn open_files() -> Option<u64> {
    // A supervisor raises its limit to the hard one.
    getrlimit(Resource::Nofile).maximum
}

/// Returns whether this process runs as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The signals that stop a command: SIGINT, SIGTERM and SIGHUP.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Registers handlers, so that the signals no longer stop this process.
    pub(crate) fn register() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal and sends it to `child`, unless the terminal has already sent it.
    pub(crate) async fn forward_next(&mut self, child: Option<u32>) {
        tokio::select! {
            // The terminal has sent it to the child too.
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => send(child, SignalNumber::TERM),
            _ = self.hangup.recv() => send(child, SignalNumber::HUP),
        }
    }
}

fn send(child: Option<u32>, signal: SignalNumber) {
    // The child has not been waited for, so its pid is not reused.
    let pid = child.and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// Returns the exit code of a command, or 128 plus the signal number, as shells do.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(1)
}
