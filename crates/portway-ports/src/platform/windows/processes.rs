//! Processes: a snapshot of all, and what each of them tells.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::time::Duration;

use windows_sys::Win32::Foundation::{FILETIME, INVALID_HANDLE_VALUE, LocalFree};
use windows_sys::Win32::Security::{
    GetSidSubAuthority, GetSidSubAuthorityCount, GetTokenInformation, TOKEN_QUERY, TOKEN_USER,
    TokenUser,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS};
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessTimes, OpenProcess, OpenProcessToken, PROCESS_QUERY_INFORMATION,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_TERMINATE, PROCESS_VM_READ, TerminateProcess,
};
use windows_sys::Win32::UI::Shell::CommandLineToArgvW;

use super::super::by_pid::below;
use super::memory::Parameters;
use crate::process::{Process, ProcessId};

/// What `GetExitCodeProcess` says of a process that runs.
const STILL_ACTIVE: u32 = 259;

/// 1970-01-01 in the unit of Windows: tenths of a microsecond since 1601-01-01.
const EPOCH: u64 = 116_444_736_000_000_000;

struct Entry {
    pid: u32,
    parent: u32,
    name: String,
}

fn snapshot() -> Vec<Entry> {
    let mut found = Vec::new();
    let mut entry = PROCESSENTRY32W {
        dwSize: size_of::<PROCESSENTRY32W>() as u32,
        ..PROCESSENTRY32W::default()
    };
    // SAFETY: the snapshot's handle is checked, owned from then on and open through the loop; the
    // entry has its size written into it, as the calls ask for.
    #[allow(unsafe_code)]
    unsafe {
        let snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
        if snapshot == INVALID_HANDLE_VALUE {
            return found;
        }
        let snapshot = OwnedHandle::from_raw_handle(snapshot);
        let mut more = Process32FirstW(snapshot.as_raw_handle(), &raw mut entry);
        while more != 0 {
            found.push(Entry {
                pid: entry.th32ProcessID,
                parent: entry.th32ParentProcessID,
                name: text(&entry.szExeFile),
            });
            more = Process32NextW(snapshot.as_raw_handle(), &raw mut entry);
        }
    }
    found
}

/// The text before the first zero.
fn text(units: &[u16]) -> String {
    let end = units.iter().position(|&unit| unit == 0);
    String::from_utf16_lossy(&units[..end.unwrap_or(units.len())])
}

fn open(pid: u32, rights: u32) -> io::Result<OwnedHandle> {
    // SAFETY: the call takes numbers alone; a handle that it gives is this function's to own.
    #[allow(unsafe_code)]
    unsafe {
        let handle = OpenProcess(rights, 0, pid);
        if handle.is_null() {
            Err(io::Error::last_os_error())
        } else {
            Ok(OwnedHandle::from_raw_handle(handle))
        }
    }
}

/// Times of a process, in tenths of a microsecond.
struct Times {
    /// Since 1601-01-01.
    born: u64,
    kernel: u64,
    user: u64,
}

/// When a process was made; `None` for one that has ended.
fn born(process: &OwnedHandle) -> Option<u64> {
    times(process).map(|times| times.born)
}

/// `None` for a process that has ended.
fn times(process: &OwnedHandle) -> Option<Times> {
    let zero = FILETIME::default();
    let (mut born, mut ended, mut kernel, mut user) = (zero, zero, zero, zero);
    let mut code = 0;
    // SAFETY: the handle is open while it is borrowed, and every pointer is to a live local.
    #[allow(unsafe_code)]
    let told = unsafe {
        GetExitCodeProcess(process.as_raw_handle(), &raw mut code) != 0
            && GetProcessTimes(
                process.as_raw_handle(),
                &raw mut born,
                &raw mut ended,
                &raw mut kernel,
                &raw mut user,
            ) != 0
    };
    let number =
        |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    (told && code == STILL_ACTIVE).then(|| Times {
        born: number(born),
        kernel: number(kernel),
        user: number(user),
    })
}

/// A process that this user may not look into has no known start.
fn identity(pid: u32) -> Option<ProcessId> {
    match open(pid, PROCESS_QUERY_LIMITED_INFORMATION) {
        Ok(process) => born(&process).map(|started| ProcessId { pid, started }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Some(ProcessId { pid, started: 0 })
        }
        Err(_) => None,
    }
}

pub(crate) fn process(pid: u32) -> Option<Process> {
    let entry = snapshot().into_iter().find(|entry| entry.pid == pid)?;
    let id = identity(pid)?;
    let memory = open(pid, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ).ok();
    let parameters = memory.as_ref().and_then(Parameters::of);
    let command = parameters.as_ref().and_then(Parameters::command_line);
    let dir = parameters.as_ref().and_then(Parameters::directory);
    Some(Process {
        id,
        parent: entry.parent,
        group: 0,
        user: user_of(pid),
        words: command.as_deref().map(words).unwrap_or_default(),
        command: command.unwrap_or_else(|| entry.name.clone()),
        name: entry.name,
        dir: dir.filter(|dir| !dir.is_empty()).map(PathBuf::from),
    })
}

/// The words of a command line, as the system's own programs take it apart.
fn words(command: &str) -> Vec<String> {
    if command.trim().is_empty() {
        return Vec::new();
    }
    let line: Vec<u16> = command.encode_utf16().chain([0]).collect();
    let mut count = 0;
    // SAFETY: the line ends with a zero. What comes back is null or an array of `count` texts that
    // end with a zero, freed once they are copied.
    #[allow(unsafe_code)]
    unsafe {
        let all = CommandLineToArgvW(line.as_ptr(), &raw mut count);
        if all.is_null() {
            return Vec::new();
        }
        let words = (0..usize::try_from(count).unwrap_or(0))
            .map(|index| {
                let word = *all.add(index);
                let length = (0..).take_while(|&at| *word.add(at) != 0).count();
                String::from_utf16_lossy(std::slice::from_raw_parts(word, length))
            })
            .collect();
        LocalFree(all.cast::<c_void>());
        words
    }
}

pub(crate) fn pids() -> impl Iterator<Item = u32> {
    snapshot().into_iter().map(|entry| entry.pid)
}

pub(crate) fn descendants(root: u32) -> Vec<ProcessId> {
    identity(root).map_or_else(Vec::new, |root| below(root, &relations()))
}

/// Every process, with the pid of its parent.
pub(crate) fn relations() -> Vec<(ProcessId, u32)> {
    let all = snapshot().into_iter();
    all.filter_map(|entry| Some((identity(entry.pid)?, entry.parent)))
        .collect()
}

/// What a process itself has used of the processor, and its memory (working set) in bytes.
pub(crate) fn spent(pid: u32) -> Option<(Duration, u64)> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION).ok()?;
    let times = times(&process)?;
    let mut counters = PROCESS_MEMORY_COUNTERS::default();
    let size = size_of::<PROCESS_MEMORY_COUNTERS>() as u32;
    // SAFETY: the handle is open while it is borrowed, and the structure is writable for the size
    // that is named.
    #[allow(unsafe_code)]
    let told = unsafe { K32GetProcessMemoryInfo(process.as_raw_handle(), &raw mut counters, size) };
    let memory = (told != 0).then_some(counters.WorkingSetSize)?;
    let tenths = times.kernel.checked_add(times.user)?;
    Some((
        Duration::from_nanos(tenths.checked_mul(100)?),
        memory as u64,
    ))
}

pub(crate) fn started_at(process: ProcessId) -> Option<u64> {
    Some(process.started.checked_sub(EPOCH)? / 10_000)
}

pub(crate) fn variable(pid: u32, name: &str) -> Option<String> {
    let process = open(pid, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ).ok()?;
    Parameters::of(&process)?.variable(name)
}

/// Windows has no container that a process could be seen in from outside.
pub(crate) fn container(_pid: u32) -> Option<String> {
    None
}

/// The user of a process, by the last number of its security identifier: that tells the users of a
/// machine apart.
pub(super) fn user_of(pid: u32) -> Option<u32> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION).ok()?;
    // Room for the longest identifier, aligned as the structure before it.
    let mut room = [0_u64; 16];
    let mut token = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: handles are open while they are used and the token's is owned at once; the buffer is
    // writable for the size that is named. The identifier lies in the buffer, which is filled when
    // the call succeeds, and has at least one part.
    #[allow(unsafe_code)]
    unsafe {
        if OpenProcessToken(process.as_raw_handle(), TOKEN_QUERY, &raw mut token) == 0 {
            return None;
        }
        let token = OwnedHandle::from_raw_handle(token);
        let filled = GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            room.as_mut_ptr().cast(),
            size_of_val(&room) as u32,
            &raw mut size,
        );
        if filled == 0 {
            return None;
        }
        let sid = (*room.as_ptr().cast::<TOKEN_USER>()).User.Sid;
        let last = (*GetSidSubAuthorityCount(sid)).checked_sub(1)?;
        Some(*GetSidSubAuthority(sid, u32::from(last)))
    }
}

pub(crate) fn own_user() -> u32 {
    user_of(std::process::id()).unwrap_or(u32::MAX)
}

/// Only this process's own user and the system's are known by name.
pub(crate) fn user_name(user: u32) -> Option<String> {
    match user {
        18 => Some("SYSTEM".to_owned()),
        19 => Some("LOCAL SERVICE".to_owned()),
        20 => Some("NETWORK SERVICE".to_owned()),
        _ if user == own_user() => std::env::var("USERNAME").ok(),
        _ => None,
    }
}

/// There is no signal here that would ask one process and no other.
pub(crate) fn ask_to_end(_process: ProcessId) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "Windows cannot ask a single process to end",
    ))
}

pub(crate) fn kill(process: ProcessId) -> io::Result<()> {
    let handle = open(
        process.pid,
        PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION,
    )?;
    // The handle keeps the pid from coming to mean another process.
    if born(&handle) != Some(process.started) {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    // SAFETY: the handle is open and has the right that the call needs.
    #[allow(unsafe_code)]
    let done = unsafe { TerminateProcess(handle.as_raw_handle(), 1) };
    if done == 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
