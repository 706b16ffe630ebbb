//! What a command does differently on each system. Each file offers the same names.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

/// Room on a disk.
pub(crate) struct DiskRoom {
    /// Bytes that this user may still write.
    pub(crate) free: u64,
    /// Files that may still be made; `None` where the file system does not count them.
    pub(crate) files: Option<u64>,
}
