//! Finds the processes that have a socket open.
//!
//! The kernel does not report the processes of a socket, so every file descriptor of every process
//! is read, as `ss` and `lsof` do. Each takes some microseconds, nearly all in the kernel; several
//! threads share the work.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::Errno;

/// The number of processes that a thread handles at a time.
const BATCH_SIZE: usize = 16;
/// Below this number of processes a second thread costs more than it saves.
const MIN_PROCESSES_FOR_THREADS: usize = 64;
/// More threads only wait for each other in the kernel.
const MAX_THREADS: usize = 4;
/// The bytes of a buffer for directory entries: about fifty entries, enough to read most processes
/// with one call.
const ENTRIES_SIZE: usize = 2048;
/// The bytes of a buffer for the target of a link. A longer target is not a socket.
const TARGET_SIZE: usize = 32;

/// For each of `sockets`, returns those of `pids` that have it open, lowest first.
///
/// # Errors
/// Fails if this process cannot open more files, so that the owners are unknown.
pub(super) fn owners(
    mut pids: Vec<u32>,
    sockets: &HashSet<u64>,
) -> io::Result<HashMap<u64, Vec<u32>>> {
    pids.sort_unstable();
    pids.dedup();
    let next = AtomicUsize::new(0);
    let search = || {
        let mut found = Vec::new();
        loop {
            let start = next.fetch_add(BATCH_SIZE, Ordering::Relaxed);
            let Some(rest) = pids.get(start..).filter(|rest| !rest.is_empty()) else {
                return Ok(found);
            };
            for &pid in rest.iter().take(BATCH_SIZE) {
                let mut seen = HashSet::new();
                any(pid, |socket| {
                    if sockets.contains(&socket) && seen.insert(socket) {
                        found.push((socket, pid));
                    }
                    seen.len() == sockets.len()
                })?;
            }
        }
    };
    let threads = if pids.len() < MIN_PROCESSES_FOR_THREADS {
        1
    } else {
        thread::available_parallelism().map_or(1, NonZero::get)
    };
    let mut found = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(MAX_THREADS))
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, search).ok())
            .collect();
        let mut found = search()?;
        for other in others {
            let panicked = |_| Err(io::Error::other("a thread that reads processes panicked"));
            found.extend(other.join().unwrap_or_else(panicked)?);
        }
        Ok::<_, io::Error>(found)
    })?;
    found.sort_unstable();
    let mut owners: HashMap<u64, Vec<u32>> = HashMap::new();
    for (socket, pid) in found {
        owners.entry(socket).or_default().push(pid);
    }
    Ok(owners)
}

/// Returns whether `matches` accepts a socket that the process has open. Stops at the first match. A
/// process that this user may not read has none.
///
/// # Errors
/// Fails if this process cannot open more files.
pub(super) fn any(pid: u32, mut matches: impl FnMut(u64) -> bool) -> io::Result<bool> {
    let dir = match open_dir(pid) {
        Ok(dir) => dir,
        Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => return Err(error.into()),
        Err(_) => return Ok(false),
    };
    let mut buffer = [MaybeUninit::uninit(); ENTRIES_SIZE];
    let mut entries = RawDir::new(&dir, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        if socket(&dir, entry.file_name()).is_some_and(&mut matches) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether the process exists and this user may not read its file descriptors.
pub(super) fn are_hidden(pid: u32) -> bool {
    matches!(open_dir(pid), Err(Errno::ACCESS | Errno::PERM))
}

/// Opens the directory of a process's file descriptors.
fn open_dir(pid: u32) -> Result<OwnedFd, Errno> {
    let mut path = [0; 32];
    write!(&mut path[..], "/proc/{pid}/fd\0").map_err(|_| Errno::NAMETOOLONG)?;
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| Errno::NAMETOOLONG)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
}

/// Returns the inode of a file descriptor's socket; `None` if it is not a socket.
fn socket(dir: &OwnedFd, descriptor: &CStr) -> Option<u64> {
    let mut buffer = [MaybeUninit::uninit(); TARGET_SIZE];
    let (target, _) = readlinkat_raw(dir, descriptor, &mut buffer).ok()?;
    let inode = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(inode).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    use super::*;

    fn inode(socket: &TcpListener) -> u64 {
        rustix::fs::fstat(socket.as_fd()).unwrap().st_ino
    }

    #[test]
    fn finds_sockets_among_all_processes() {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let _duplicate = listeners[0].try_clone().unwrap();
        let sockets = HashSet::from([inode(&listeners[0]), inode(&listeners[1])]);
        let own = std::process::id();
        // Enough pids that every thread takes several batches. Pids may be repeated.
        let mut pids: Vec<u32> = super::super::processes::pids().unwrap().collect();
        pids.extend((5_000_000..5_000_500).chain([own]));
        let found = owners(pids, &sockets).unwrap();
        assert_eq!(found.keys().copied().collect::<HashSet<_>>(), sockets);
        assert!(found.values().all(|pids| pids == &[own]), "{found:?}");
        assert!(owners(vec![own], &HashSet::from([1])).unwrap().is_empty());
    }

    #[test]
    fn reads_more_descriptors_than_fit_into_one_buffer() {
        let files: Vec<_> = (0..300)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        let last = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(any(std::process::id(), |socket| socket == inode(&last)).unwrap());
        drop(files);
    }
}
