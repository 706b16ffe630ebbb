//! Linux and macOS.

mod terminal;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, getrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{DiskSpace, StopRequest};

pub(crate) use terminal::{RawMode, TerminalSignal, TerminalSignals, terminal_size};

/// Does nothing: a background process calls [`leave_terminal`].
pub(crate) fn in_background(_command: &mut Command) {}

/// Returns the shell that runs a command of a service.
pub(crate) fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]);
    shell
}

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

/// Returns whether a program was not started because its file is not a program.
pub(crate) fn is_not_a_program(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::NOEXEC)
}

/// Makes a file executable for everyone who can read it.
pub(crate) fn make_executable(file: &Path) -> io::Result<()> {
    let mode = fs::metadata(file)?.permissions().mode();
    fs::set_permissions(file, fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))
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

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> StopRequest {
        tokio::select! {
            _ = self.interrupt.recv() => StopRequest::Interrupt,
            _ = self.terminate.recv() => StopRequest::Terminate,
            _ = self.hangup.recv() => StopRequest::HangUp,
        }
    }
}
