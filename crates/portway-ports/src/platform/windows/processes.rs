//! The identity of processes from the Windows API, their other properties from `sysinfo`.
//!
//! `sysinfo` reports start times in seconds; an identity needs the full resolution.

use std::collections::HashMap;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION,
};

use super::super::details::details;
use crate::process::{Process, ProcessId};

/// The exit code that `GetExitCodeProcess` reports for a running process.
const STILL_ACTIVE: u32 = 259;

/// 1970-01-01 in the unit of Windows: tenths of a microsecond since 1601-01-01.
const UNIX_EPOCH: u64 = 116_444_736_000_000_000;

/// Opens a process for reading its times.
fn open(pid: u32) -> io::Result<OwnedHandle> {
    // SAFETY: the call takes numbers alone. A handle that it returns is owned by this function.
    #[allow(unsafe_code)]
    unsafe {
        let handle = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid);
        if handle.is_null() {
            Err(io::Error::last_os_error())
        } else {
            Ok(OwnedHandle::from_raw_handle(handle))
        }
    }
}

/// Returns the start time of a process; `None` if it has exited.
fn started(process: &OwnedHandle) -> Option<u64> {
    let zero = FILETIME::default();
    let (mut created, mut exited, mut kernel, mut user) = (zero, zero, zero, zero);
    let mut code = 0;
    // SAFETY: the handle is open while it is borrowed, and every pointer is to a live local.
    #[allow(unsafe_code)]
    let is_read = unsafe {
        GetExitCodeProcess(process.as_raw_handle(), &raw mut code) != 0
            && GetProcessTimes(
                process.as_raw_handle(),
                &raw mut created,
                &raw mut exited,
                &raw mut kernel,
                &raw mut user,
            ) != 0
    };
    (is_read && code == STILL_ACTIVE)
        .then(|| u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
}

pub(crate) fn process_id(pid: u32) -> Option<ProcessId> {
    match open(pid) {
        Ok(process) => started(&process).map(|started| ProcessId { pid, started }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Some(ProcessId { pid, started: 0 })
        }
        Err(_) => None,
    }
}

pub(crate) fn process(pid: u32) -> Option<Process> {
    let id = process_id(pid)?;
    let details = details(pid)?;
    Some(Process {
        id,
        parent: details.parent,
        group: 0,
        user: users(&[pid]).get(&pid).copied(),
        command: if details.args.is_empty() {
            details.name.clone()
        } else {
            details.args.join(" ")
        },
        args: details.args,
        name: details.name,
        working_dir: details.working_dir,
    })
}

pub(crate) fn started_at(process: ProcessId) -> Option<u64> {
    Some(process.started.checked_sub(UNIX_EPOCH)? / 10_000)
}

/// Returns the users of processes: the last part of each security identifier, which differs between
/// the users of one machine.
pub(super) fn users(pids: &[u32]) -> HashMap<u32, u32> {
    let pids: Vec<Pid> = pids.iter().copied().map(Pid::from_u32).collect();
    let kind = ProcessRefreshKind::nothing().with_user(UpdateKind::Always);
    let Ok(mut system) = System::new() else {
        return HashMap::new();
    };
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, kind);
    let user = |pid: &Pid| {
        let sid = system.process(*pid)?.user_id()?.to_string();
        Some((pid.as_u32(), sid.rsplit('-').next()?.parse().ok()?))
    };
    pids.iter().filter_map(user).collect()
}
