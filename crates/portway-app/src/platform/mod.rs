//! Functions of a command that differ between operating systems. Each file defines the same names.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

/// The free space of a file system.
pub(crate) struct DiskSpace {
    /// The number of bytes available to this user.
    pub(crate) free: u64,
    /// The number of files that can be created; `None` if the file system has no limit.
    pub(crate) files: Option<u64>,
}

/// A signal or console event that stops a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopRequest {
    /// Ctrl-C.
    Interrupt,
    /// A request by another process.
    Terminate,
    /// The terminal is closed.
    HangUp,
}
