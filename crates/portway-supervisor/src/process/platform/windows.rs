//! Windows: users by the last part of their security identifier, processes killed by handle.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::System::Threading::{OpenProcess, PROCESS_TERMINATE, TerminateProcess};

use crate::process::{Process, ProcessId};

/// The exit code of a process that is killed.
const KILLED: u32 = 1;

/// Containers run in a virtual machine, whose processes are not visible.
pub(in crate::process) fn container(_pid: u32) -> Option<String> {
    None
}

pub(in crate::process) fn current_user() -> u32 {
    let own = Process::read(std::process::id());
    own.and_then(|process| process.user).unwrap_or(u32::MAX)
}

/// Only the current user and the system's own accounts are known by name.
pub(in crate::process) fn user_name(user: u32) -> Option<String> {
    match user {
        18 => Some("SYSTEM".to_owned()),
        19 => Some("LOCAL SERVICE".to_owned()),
        20 => Some("NETWORK SERVICE".to_owned()),
        _ if user == current_user() => std::env::var("USERNAME").ok(),
        _ => None,
    }
}

/// Windows has no request to stop that reaches one process only.
pub(in crate::process) fn terminate(_process: ProcessId) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "Windows cannot request a single process to stop",
    ))
}

pub(in crate::process) fn kill(process: ProcessId) -> io::Result<()> {
    // SAFETY: the call takes numbers alone. A handle that it returns is owned by this function.
    #[allow(unsafe_code)]
    let handle = unsafe {
        let handle = OpenProcess(PROCESS_TERMINATE, 0, process.pid);
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(handle)
    };
    // The pid is not reused while the handle is open.
    if !process.is_alive() {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    // SAFETY: the handle is open and has the right that the call requires.
    #[allow(unsafe_code)]
    let status = unsafe { TerminateProcess(handle.as_raw_handle(), KILLED) };
    if status == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
