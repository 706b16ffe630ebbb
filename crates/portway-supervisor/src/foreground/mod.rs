//! A command in the foreground: it has the terminal and the streams of this process, and everything
//! that it starts is stopped when it exits or when this process is killed.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::Foreground;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::Foreground;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use portway_isolation::Namespace;

use crate::state::ExitStatus;
use crate::stuck::StuckProcess;

/// What to run in the foreground.
#[derive(Debug)]
pub struct ForegroundConfig {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Environment variables in addition to those of this process.
    pub env: IndexMap<String, String>,
    /// How long the processes that the command leaves may take to exit before they are killed.
    pub grace: Duration,
    /// The directory of the instance's locks and records.
    pub instance_dir: PathBuf,
    /// The network to run in, if it is not that of this process.
    pub namespace: Option<Namespace>,
}

/// How a command in the foreground ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForegroundExit {
    /// The exit of the command itself.
    pub status: ExitStatus,
    /// The processes that it left and that cannot be stopped.
    pub stuck: Vec<StuckProcess>,
}
