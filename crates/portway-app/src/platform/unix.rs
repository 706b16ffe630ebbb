//! Linux and macOS.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Resource, Signal as ToSend, getrlimit, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::DiskRoom;

/// A background supervisor leaves the terminal by itself ([`leave_terminal`]).
pub(crate) fn in_background(_command: &mut Command) {}

/// The terminal's signals and its end are not for this process any more.
pub(crate) fn leave_terminal() {
    let _ = rustix::process::setsid();
}

/// Lets go of the pipe that is this process's standard output.
pub(crate) fn let_go_of_stdout() {
    if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

pub(crate) fn disk_room(dir: &Path) -> Option<DiskRoom> {
    let found = rustix::fs::statvfs(dir).ok()?;
    Some(DiskRoom {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        files: (found.f_files > 0).then_some(found.f_favail),
    })
}

/// How many files a process may have open; `None` for no limit.
pub(crate) fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Whether this process may change the system's files.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether `name` in `dir` is a program.
pub(crate) fn is_program(dir: &Path, name: &str) -> bool {
    let file = dir.join(name);
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The signals that would end a command which waits for another.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on none of them ends this process.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next, which is sent to `child` unless that has it already.
    pub(crate) async fn pass_on(&mut self, child: Option<u32>) {
        tokio::select! {
            // The terminal has sent it to the command as well.
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => send(child, ToSend::TERM),
            _ = self.hangup.recv() => send(child, ToSend::HUP),
        }
    }
}

fn send(child: Option<u32>, signal: ToSend) {
    // While it is not waited for, its pid cannot mean another process.
    let pid = child.and_then(|pid| i32::try_from(pid).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// A command's own code, or 128 and the signal, as a shell has it.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(1)
}
