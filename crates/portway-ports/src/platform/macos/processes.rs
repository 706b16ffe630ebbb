//! The identity, parent, group and user of processes, from `libproc`, and numbers from `sysctl`.
//!
//! `sysinfo` reports start times in seconds and no process groups, so this is read here.

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;

use super::super::details::details;
use crate::process::{Process, ProcessId};

/// The state of a process that has exited and was not waited for (`SZOMB`).
const ZOMBIE: u32 = 5;

/// Reads the kernel's information on a process; `None` if it is gone or a zombie.
fn info(pid: u32) -> Option<libc::proc_bsdinfo> {
    let mut info = MaybeUninit::<libc::proc_bsdinfo>::zeroed();
    let size = c_int::try_from(size_of::<libc::proc_bsdinfo>()).ok()?;
    // SAFETY: the buffer is writable for `size` bytes. The structure consists of numbers, so every
    // bit pattern is valid.
    #[allow(unsafe_code)]
    let info = unsafe {
        let pid = c_int::try_from(pid).ok()?;
        let flavor = libc::PROC_PIDTBSDINFO;
        let filled = libc::proc_pidinfo(pid, flavor, 0, info.as_mut_ptr().cast(), size);
        (filled == size).then(|| info.assume_init())?
    };
    (info.pbi_status != ZOMBIE).then_some(info)
}

fn id(info: &libc::proc_bsdinfo) -> ProcessId {
    ProcessId {
        pid: info.pbi_pid,
        started: info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec,
    }
}

/// Returns the text before the first zero.
fn text(characters: &[libc::c_char]) -> String {
    let bytes = characters.iter().map(|&c| c.cast_unsigned());
    let bytes: Vec<u8> = bytes.take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn process_id(pid: u32) -> Option<ProcessId> {
    info(pid).map(|info| id(&info))
}

pub(crate) fn process(pid: u32) -> Option<Process> {
    let info = info(pid)?;
    let long_name = text(&info.pbi_name);
    let name = if long_name.is_empty() {
        text(&info.pbi_comm)
    } else {
        long_name
    };
    let (args, working_dir) = match details(pid) {
        Some(details) => (details.args, details.working_dir),
        None => (Vec::new(), None),
    };
    Some(Process {
        id: id(&info),
        parent: info.pbi_ppid,
        group: info.pbi_pgid,
        user: Some(info.pbi_uid),
        command: if args.is_empty() {
            name.clone()
        } else {
            args.join(" ")
        },
        args,
        name,
        working_dir,
    })
}

#[allow(clippy::unnecessary_wraps, reason = "unknown on other systems")]
pub(crate) fn started_at(process: ProcessId) -> Option<u64> {
    Some(process.started / 1000)
}

pub(super) fn user_of(pid: u32) -> Option<u32> {
    info(pid).map(|info| info.pbi_uid)
}

/// Reads a number of the kernel.
pub(super) fn sysctl_number(name: &CStr) -> Option<i32> {
    let mut value: c_int = 0;
    let mut size = size_of::<c_int>();
    // SAFETY: the name ends with a zero, and `value` is writable for `size` bytes.
    #[allow(unsafe_code)]
    let status = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            (&raw mut value).cast(),
            &raw mut size,
            std::ptr::null_mut(),
            0,
        )
    };
    (status == 0 && size == size_of::<c_int>()).then_some(value)
}
