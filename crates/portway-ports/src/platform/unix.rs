//! What Linux and macOS share: how sockets are bound.

use std::io;

use rustix::io::Errno;

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
