//! Limits of a process on Windows.

use std::io;

/// `WSAEMFILE`: no more sockets can be opened.
const TOO_MANY_SOCKETS: i32 = 10024;

/// Returns how many sockets this process may have open; `None` for no limit.
pub(crate) fn max_descriptors() -> Option<u64> {
    None
}

/// Whether an operation failed because no more sockets can be opened.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error() == Some(TOO_MANY_SOCKETS)
}
