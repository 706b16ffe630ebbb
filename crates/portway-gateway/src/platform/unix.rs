//! Limits of a process on Linux and macOS.

use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Returns how many file descriptors this process may have open; `None` for no limit.
pub(crate) fn max_descriptors() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Whether an operation failed because this process or the system has no free file descriptors.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}
