//! Terminals of services.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The size of a terminal until another one is attached to it, in characters.
const SIZE: (u16, u16) = (24, 80);

/// Creates a terminal and returns its controlling end.
pub(crate) fn open_terminal() -> io::Result<OwnedFd> {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    rustix::io::fcntl_setfd(&terminal, rustix::io::FdFlags::CLOEXEC)?;
    grantpt(&terminal)?;
    unlockpt(&terminal)?;
    // macOS has no size before the other end is open.
    let _ = resize_terminal(&terminal, SIZE.0, SIZE.1);
    Ok(terminal)
}

/// Opens the end of a service. It does not become the terminal of this process.
pub(crate) fn open_terminal_of_service(terminal: &OwnedFd) -> io::Result<OwnedFd> {
    let name = ptsname(terminal, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(name, flags, Mode::empty())?)
}

/// Sets the size of a terminal, in characters.
pub(crate) fn resize_terminal(terminal: &OwnedFd, rows: u16, columns: u16) -> io::Result<()> {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(tcsetwinsize(terminal, size)?)
}

/// Watches a descriptor that is not blocking.
pub(crate) fn watch(end: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: `OwnedFd` owns its descriptor and returns the same one as long as it lives.
    #[allow(unsafe_code)]
    let watched = unsafe { AsyncFd::register_with_interest(end, interest) };
    Ok(watched?)
}

/// Makes a command start in a new session, whose controlling terminal is its standard input. Keys such as
/// Ctrl-C then reach it.
pub(crate) fn take_terminal(command: &mut Command) {
    // SAFETY: the closure runs between fork and exec. It makes two system calls and neither allocates nor
    // locks. The standard streams are set before it runs.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?)
        });
    }
}
