//! Processes, through `libproc` and `sysctl`.

use std::ffi::{CStr, OsStr, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::super::by_pid::below;
use crate::process::{Process, ProcessId};

/// The state of a process that has ended and was not waited for (`SZOMB`).
const ZOMBIE: u32 = 5;

/// A structure of numbers that the kernel fills, valid in every bit pattern.
trait Plain: Copy {
    const FLAVOR: c_int;
}
impl Plain for libc::proc_bsdinfo {
    const FLAVOR: c_int = libc::PROC_PIDTBSDINFO;
}
impl Plain for libc::proc_taskinfo {
    const FLAVOR: c_int = libc::PROC_PIDTASKINFO;
}
impl Plain for libc::proc_vnodepathinfo {
    const FLAVOR: c_int = libc::PROC_PIDVNODEPATHINFO;
}

fn info<T: Plain>(pid: u32) -> Option<T> {
    let mut info = MaybeUninit::<T>::zeroed();
    let size = c_int::try_from(size_of::<T>()).ok()?;
    // SAFETY: the buffer is writable for the size that is named, and every bit pattern is valid.
    #[allow(unsafe_code)]
    unsafe {
        let pid = c_int::try_from(pid).ok()?;
        let filled = libc::proc_pidinfo(pid, T::FLAVOR, 0, info.as_mut_ptr().cast(), size);
        (filled == size).then(|| info.assume_init())
    }
}

fn identity(info: &libc::proc_bsdinfo) -> ProcessId {
    ProcessId {
        pid: info.pbi_pid,
        // Microseconds since 1970-01-01.
        started: info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec,
    }
}

/// `None` for a process that is gone or a zombie.
fn living(pid: u32) -> Option<libc::proc_bsdinfo> {
    info::<libc::proc_bsdinfo>(pid).filter(|info| info.pbi_status != ZOMBIE)
}

/// The bytes of C characters before the first zero.
fn bytes(characters: &[libc::c_char]) -> Vec<u8> {
    let bytes = characters.iter().map(|&c| c.cast_unsigned());
    bytes.take_while(|&byte| byte != 0).collect()
}

fn text(characters: &[libc::c_char]) -> String {
    String::from_utf8_lossy(&bytes(characters)).into_owned()
}

pub(crate) fn process(pid: u32) -> Option<Process> {
    let info = living(pid)?;
    let long = text(&info.pbi_name);
    let name = if long.is_empty() {
        text(&info.pbi_comm)
    } else {
        long
    };
    let words = arguments(pid).map(|all| all.words).unwrap_or_default();
    Some(Process {
        id: identity(&info),
        parent: info.pbi_ppid,
        group: info.pbi_pgid,
        user: Some(info.pbi_uid),
        command: if words.is_empty() {
            name.clone()
        } else {
            words.join(" ")
        },
        words,
        name,
        dir: directory(pid),
    })
}

fn directory(pid: u32) -> Option<PathBuf> {
    let info = info::<libc::proc_vnodepathinfo>(pid)?;
    let path = bytes(info.pvi_cdir.vip_path.as_flattened());
    (!path.is_empty()).then(|| PathBuf::from(OsStr::from_bytes(&path)))
}

struct Arguments {
    words: Vec<String>,
    variables: Vec<String>,
}

/// `KERN_PROCARGS2`: a count of words, the program's path, zeros, the words, the variables.
fn arguments(pid: u32) -> Option<Arguments> {
    let mut name = [
        libc::CTL_KERN,
        libc::KERN_PROCARGS2,
        c_int::try_from(pid).ok()?,
    ];
    // The most that arguments and environment may have together.
    let mut buffer = vec![0_u8; 1 << 20];
    let mut size = buffer.len();
    // SAFETY: the name has the three parts that are announced, and the buffer is writable for
    // `size` bytes, into which the kernel writes how many it used.
    #[allow(unsafe_code)]
    let failed = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            3,
            buffer.as_mut_ptr().cast(),
            &raw mut size,
            std::ptr::null_mut(),
            0,
        )
    };
    if failed != 0 {
        return None;
    }
    let (count, rest) = buffer.get(..size)?.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_ne_bytes(*count)).ok()?;
    let path = rest.iter().position(|&byte| byte == 0)?;
    let rest = &rest[path..];
    let start = rest.iter().position(|&byte| byte != 0)?;
    let mut texts = rest[start..]
        .split(|&byte| byte == 0)
        .map(|text| String::from_utf8_lossy(text).into_owned());
    Some(Arguments {
        words: texts.by_ref().take(count).collect(),
        variables: texts.take_while(|text| !text.is_empty()).collect(),
    })
}

pub(crate) fn pids() -> impl Iterator<Item = u32> {
    // More than there are now, for some may be started meanwhile.
    let mut all: Vec<c_int> = vec![0; 64 * 1024];
    let size = c_int::try_from(size_of_val(all.as_slice())).unwrap_or(0);
    // SAFETY: the buffer is writable for the size that is named.
    #[allow(unsafe_code)]
    let count = unsafe { libc::proc_listallpids(all.as_mut_ptr().cast(), size) };
    all.truncate(usize::try_from(count).unwrap_or(0));
    all.into_iter().filter_map(|pid| u32::try_from(pid).ok())
}

pub(crate) fn descendants(root: u32) -> Vec<ProcessId> {
    let root = living(root).map(|root| identity(&root));
    root.map_or_else(Vec::new, |root| below(root, &relations()))
}

/// Every process, with the pid of its parent.
pub(crate) fn relations() -> Vec<(ProcessId, u32)> {
    let all = pids().filter_map(living);
    all.map(|info| (identity(&info), info.pbi_ppid)).collect()
}

/// What a process itself has used of the processor, and its resident memory in bytes.
pub(crate) fn spent(pid: u32) -> Option<(Duration, u64)> {
    let info = info::<libc::proc_taskinfo>(pid)?;
    let ticks = info.pti_total_user + info.pti_total_system;
    Some((span(ticks)?, info.pti_resident_size))
}

/// A span in ticks of the kernel's clock, which are nanoseconds on some processors alone.
#[allow(deprecated, reason = "its replacement is a crate for this one call")]
fn span(ticks: u64) -> Option<Duration> {
    let mut base = MaybeUninit::<libc::mach_timebase_info>::zeroed();
    // SAFETY: the structure is writable, and every bit pattern of its two numbers is valid.
    #[allow(unsafe_code)]
    let base = unsafe {
        if libc::mach_timebase_info(base.as_mut_ptr()) != 0 {
            return None;
        }
        base.assume_init()
    };
    let nanoseconds = u128::from(ticks) * u128::from(base.numer);
    let nanoseconds = nanoseconds.checked_div(u128::from(base.denom))?;
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

#[allow(clippy::unnecessary_wraps, reason = "other systems need not tell")]
pub(crate) fn started_at(process: ProcessId) -> Option<u64> {
    Some(process.started / 1000)
}

/// Hidden for the system's own programs, and for those of other users.
pub(crate) fn variable(pid: u32, name: &str) -> Option<String> {
    let variables = arguments(pid)?.variables;
    variables.iter().find_map(|one| {
        let (key, value) = one.split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

/// Containers run in a virtual machine here, and are not seen from outside.
pub(crate) fn container(_pid: u32) -> Option<String> {
    None
}

pub(super) fn user_of(pid: u32) -> Option<u32> {
    living(pid).map(|info| info.pbi_uid)
}

pub(crate) fn own_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub(crate) fn user_name(user: u32) -> Option<String> {
    let user = uzers::get_user_by_uid(user)?;
    Some(user.name().to_string_lossy().into_owned())
}

/// Sends `signal` to this process. The system has no handle of a process that could be signalled,
/// so between the look and the signal some microseconds pass.
pub(crate) fn send_signal(process: ProcessId, signal: Signal) -> io::Result<()> {
    let gone = || io::Error::from(Errno::SRCH);
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(gone)?;
    if !process.is_alive() {
        return Err(gone());
    }
    Ok(kill_process(pid, signal)?)
}

/// A number of the kernel.
pub(super) fn sysctl_number(name: &CStr) -> Option<i32> {
    let mut value: c_int = 0;
    let mut size = size_of::<c_int>();
    // SAFETY: the name ends with a zero, and the value is a live integer of the size that is named.
    #[allow(unsafe_code)]
    let failed = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            (&raw mut value).cast(),
            &raw mut size,
            std::ptr::null_mut(),
            0,
        )
    };
    (failed == 0 && size == size_of::<c_int>()).then_some(value)
}
