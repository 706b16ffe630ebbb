//! Which process has which socket open.
//!
//! The kernel does not tell the processes of a socket, so every descriptor of every process is
//! looked at, as `ss` and `lsof` do it. Nearly all of the time is the kernel's, some microseconds a
//! descriptor: it is shared among the processors.

use std::collections::{HashMap, HashSet};
use std::ffi::CStr;
use std::io::Write;
use std::mem::MaybeUninit;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};

/// How many processes a thread takes at a time.
const SHARE: usize = 16;
/// With fewer processes than this no second thread pays.
const WORTH_THREADS: usize = 64;
/// More threads would only wait for each other in the kernel.
const MOST_THREADS: usize = 4;

/// For each of `sockets` those of `pids` that have it open, lowest first.
pub(super) fn owners(mut pids: Vec<u32>, sockets: &HashSet<u64>) -> HashMap<u64, Vec<u32>> {
    pids.sort_unstable();
    pids.dedup();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found = Vec::new();
        loop {
            let from = next.fetch_add(SHARE, Ordering::Relaxed);
            let Some(rest) = pids.get(from..).filter(|rest| !rest.is_empty()) else {
                return found;
            };
            for &pid in rest.iter().take(SHARE) {
                let mut own = HashSet::new();
                any(pid, |socket| {
                    if sockets.contains(&socket) && own.insert(socket) {
                        found.push((socket, pid));
                    }
                    own.len() == sockets.len()
                });
            }
        }
    };
    let threads = if pids.len() < WORTH_THREADS {
        1
    } else {
        thread::available_parallelism().map_or(1, NonZero::get)
    };
    let mut found = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(MOST_THREADS))
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut found = work();
        for other in others {
            found.extend(other.join().unwrap_or_default());
        }
        found
    });
    found.sort_unstable();
    let mut owners: HashMap<u64, Vec<u32>> = HashMap::new();
    for (socket, pid) in found {
        owners.entry(socket).or_default().push(pid);
    }
    owners
}

/// Whether `is_it` says yes to any socket that a process has open; none is looked at after that.
pub(super) fn any(pid: u32, mut is_it: impl FnMut(u64) -> bool) -> bool {
    let Some(dir) = open(pid) else {
        return false;
    };
    // Room for some fifty entries, so that most processes need one call.
    let mut room = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(&dir, &mut room);
    while let Some(Ok(entry)) = entries.next() {
        if socket(&dir, entry.file_name()).is_some_and(&mut is_it) {
            return true;
        }
    }
    false
}

/// The directory of a process's descriptors, where this user may look.
fn open(pid: u32) -> Option<OwnedFd> {
    let mut path = [0; 32];
    write!(&mut path[..], "/proc/{pid}/fd\0").ok()?;
    let path = CStr::from_bytes_until_nul(&path).ok()?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).ok()
}

/// The socket behind a descriptor. What is longer than a socket's name is none.
fn socket(dir: &OwnedFd, descriptor: &CStr) -> Option<u64> {
    let mut room = [MaybeUninit::uninit(); 32];
    let (target, _) = readlinkat_raw(dir, descriptor, &mut room).ok()?;
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
    fn sockets_are_found_among_all_processes() {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let _again = listeners[0].try_clone().unwrap();
        let sockets = HashSet::from([inode(&listeners[0]), inode(&listeners[1])]);
        let own = std::process::id();
        // So many that every thread takes several shares; that some are named twice does not matter.
        let mut pids = crate::process::pids();
        pids.extend((5_000_000..5_000_500).chain([own]));
        let found = owners(pids, &sockets);
        assert_eq!(found.keys().copied().collect::<HashSet<_>>(), sockets);
        assert!(found.values().all(|pids| pids == &[own]), "{found:?}");
        assert!(owners(vec![own], &HashSet::from([1])).is_empty());
    }

    #[test]
    fn more_descriptors_than_there_is_room_for_are_all_seen() {
        let files: Vec<_> = (0..300)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        let last = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(any(std::process::id(), |socket| socket == inode(&last)));
        drop(files);
    }
}
