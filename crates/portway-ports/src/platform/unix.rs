//! What Linux and macOS share: how sockets are bound, and which signals end a process.

use std::io;

use rustix::io::Errno;
use rustix::process::Signal;

use super::send_signal;
use crate::process::ProcessId;

/// Without `SO_REUSEADDR` a bind is exclusive already.
#[allow(
    clippy::unnecessary_wraps,
    reason = "other systems need an option here"
)]
pub(crate) fn bind_exclusively(_socket: &socket2::Socket) -> io::Result<()> {
    Ok(())
}

pub(crate) fn bind_beside(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

pub(crate) fn no_such_family(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT)
    )
}

pub(crate) fn ask_to_end(process: ProcessId) -> io::Result<()> {
    send_signal(process, Signal::TERM)
}

pub(crate) fn kill(process: ProcessId) -> io::Result<()> {
    send_signal(process, Signal::KILL)
}
