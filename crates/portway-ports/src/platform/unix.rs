//! The options of bound sockets, which are the same on Linux and macOS.

use std::io;

use rustix::io::Errno;

/// Makes the socket exclude all others. Without `SO_REUSEADDR` it already does.
#[allow(clippy::unnecessary_wraps, reason = "can fail on Windows")]
pub(crate) fn set_exclusive(_socket: &socket2::Socket) -> io::Result<()> {
    Ok(())
}

/// Sets the options with which a server binds on top of a soft hold.
pub(crate) fn prepare_server_socket(socket: &socket2::Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Returns whether an error means that the machine does not support the address family.
pub(crate) fn is_unsupported_family(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PROTONOSUPPORT)
    )
}

/// Returns the number of the user of this process.
#[allow(clippy::unnecessary_wraps, reason = "unknown on Windows")]
pub(crate) fn own_user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}
