//! The details of processes on macOS and Windows, read by `sysinfo`.

use std::ffi::OsString;
use std::path::PathBuf;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// The details of one process.
pub(super) struct Details {
    /// The short name; `libproc` reports it on macOS.
    #[cfg(windows)]
    pub(super) name: String,
    /// The pid of the parent, 0 if there is none; `libproc` reports it on macOS.
    #[cfg(windows)]
    pub(super) parent: u32,
    /// The arguments; empty if this user may not read them.
    pub(super) args: Vec<String>,
    /// The working directory, if this user may read it.
    pub(super) working_dir: Option<PathBuf>,
}

/// Reads the details of a process; `None` if there is none with this pid.
pub(super) fn details(pid: u32) -> Option<Details> {
    let pid = Pid::from_u32(pid);
    let kind = ProcessRefreshKind::nothing()
        .with_cmd(UpdateKind::Always)
        .with_cwd(UpdateKind::Always);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, kind);
    let process = system.process(pid)?;
    let text = |text: &OsString| text.to_string_lossy().into_owned();
    let working_dir = process.cwd().filter(|dir| !dir.as_os_str().is_empty());
    Some(Details {
        #[cfg(windows)]
        name: process.name().to_string_lossy().into_owned(),
        #[cfg(windows)]
        parent: process.parent().map_or(0, Pid::as_u32),
        args: process.cmd().iter().map(text).collect(),
        working_dir: working_dir.map(PathBuf::from),
    })
}
