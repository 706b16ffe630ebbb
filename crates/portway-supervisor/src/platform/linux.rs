//! Linux: child subreapers and `/proc`.

mod cgroup;
mod spawn;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Signal, getpid, set_child_subreaper, set_parent_process_death_signal};

use crate::mark;
use crate::process::{Process, ProcessId, descendants};
pub(crate) use cgroup::ControlGroup;
pub(crate) use spawn::spawn_in;

/// Whether a keeper becomes the parent of every descendant whose own parent exits.
pub(crate) const REAPS_ALL: bool = true;

/// Returns the path of the running binary. It works even if the file was replaced.
pub(crate) fn own_binary() -> io::Result<PathBuf> {
    // The path of a replaced file ends in ` (deleted)` and does not exist. The link still refers to
    // the running binary.
    let path = std::env::current_exe()?;
    Ok(if path.exists() {
        path
    } else {
        PathBuf::from("/proc/self/exe")
    })
}

/// Makes this process the parent of every descendant whose own parent exits.
pub(crate) fn become_reaper() -> io::Result<()> {
    // Any pid enables the setting, which applies to this process.
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Returns all processes of this keeper.
pub(crate) fn tree() -> Vec<ProcessId> {
    descendants(std::process::id())
}

/// Fails if `/proc` shows the processes of another PID namespace: their numbers mean other processes
/// here.
pub(crate) fn check_processes() -> io::Result<()> {
    let own = std::fs::read_link("/proc/self")?;
    if own.to_str() == Some(std::process::id().to_string().as_str()) {
        return Ok(());
    }
    Err(io::Error::other(
        "`/proc` shows the processes of another PID namespace",
    ))
}

/// Returns the session of a process. `None` for a thread of the kernel, too.
pub(crate) fn session(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The fields after the name are state, parent, group and session.
    let (_, fields) = stat.rsplit_once(") ")?;
    let session = fields.split(' ').nth(3)?.parse().ok()?;
    (session != 0).then_some(session)
}

/// Returns the process group of a process. `None` for a zombie, which no signal reaches, too.
pub(crate) fn process_group(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The fields after the name are state, parent and group.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let is_alive = !matches!(fields.next()?, "Z" | "X");
    let group = fields.nth(1)?.parse().ok()?;
    (is_alive && group != 0).then_some(group)
}

/// Returns the pid that was assigned last.
pub(crate) fn latest_pid() -> Option<u32> {
    let load = std::fs::read_to_string("/proc/loadavg").ok()?;
    load.split_whitespace().nth(4)?.parse().ok()
}

/// Returns the pids of the children of this process that have exited and were not waited for.
pub(crate) fn zombies() -> BTreeSet<u32> {
    let is_zombie = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat
            .rsplit_once(") ")
            .map(|(_, fields)| fields.starts_with('Z'));
        state == Some(true)
    };
    children().into_iter().filter(is_zombie).collect()
}

/// Returns the pids of the children of all threads of this process.
fn children() -> Vec<u32> {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let lists = threads.flatten().map(|thread| {
        let path = thread.path().join("children");
        std::fs::read_to_string(path).unwrap_or_default()
    });
    let pids = lists.flat_map(|list| {
        let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
        pids.collect::<Vec<u32>>()
    });
    pids.collect()
}

/// Kills the orphans among the children of this process, without their descendants. Returns whether
/// there were any.
pub(crate) fn kill_child_orphans(is_orphan: &dyn Fn(ProcessId) -> bool) -> bool {
    let all = children().into_iter().filter_map(ProcessId::read);
    let orphans: Vec<ProcessId> = all.filter(|child| is_orphan(*child)).collect();
    for orphan in &orphans {
        super::kill_child(orphan.pid);
        super::reap(orphan.pid);
    }
    !orphans.is_empty()
}

/// Kills every child of this process that a parent of its own has not taken along. Much faster than
/// reading the whole tree, so that it catches a process that forks and exits again and again. Only for
/// a process with one thread, which waits for its children itself: their pids are not reused.
pub(crate) fn kill_children() {
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    for pid in children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
    {
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            // The child may be a zombie.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

/// Makes the kernel kill the leader when the thread that starts it exits. This covers the case that
/// keeper and supervisor are killed together. Also sets the variable that identifies its processes.
pub(crate) fn tie_to_keeper(command: &mut Command) {
    if let Some(own) = Process::read(std::process::id()) {
        command.env(mark::KEEPER_NAME, mark::keeper_value(own.id));
    }
    // SAFETY: the closure runs between fork and exec. It makes one system call and neither allocates
    // nor locks.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

/// Waits until the terminal of this process is closed, or forever if there is none. SIGHUP does not
/// reach a process that inherited it as ignored or that runs in the background.
pub(crate) async fn terminal_closed() {
    use rustix::event::{PollFd, PollFlags, poll};
    let (sender, receiver) = tokio::sync::oneshot::channel();
    // tokio can only wait for input, which must not be read here. With no requested events, `poll`
    // reports a hang-up only.
    std::thread::spawn(move || {
        let Ok(terminal) = std::fs::File::open("/dev/tty") else {
            return;
        };
        loop {
            let mut fd = [PollFd::new(&terminal, PollFlags::empty())];
            match poll(&mut fd, None) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
        // Sending fails only when no task waits.
        let _ = sender.send(());
    });
    if receiver.await.is_err() {
        std::future::pending().await
    }
}

/// Returns a path for a local socket that fits into the kernel's limit of 108 bytes. A longer path is
/// replaced by one through a descriptor of its directory, which must stay open while it is used.
pub(crate) fn socket_path(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    const MAX: usize = 107;
    if path.as_os_str().len() <= MAX {
        return Ok((path.to_owned(), None));
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let dir: OwnedFd = std::fs::File::open(dir)?.into();
    let short = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string());
    Ok((short.join(name), Some(dir)))
}

/// Returns the pid of the process that listens on the local socket at `path`, or at its abstract
/// address. It connects and closes the connection at once.
pub(crate) fn server_pid(path: &Path) -> Option<u32> {
    let socket = connect_now(path).or_else(|_| connect_alias(path).map(OwnedFd::from));
    let peer = socket_peercred(&socket.ok()?).ok()?;
    u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
}

/// Returns whether a process listens on the local socket at `path`, or at its abstract address.
pub(crate) fn is_served(path: &Path) -> bool {
    // A server that has too many waiting clients serves, too.
    let serves = |connected: io::Result<()>| match connected {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    };
    serves(connect_now(path).map(drop)) || serves(connect_alias(path).map(drop))
}

/// Connects without waiting for a server that does not respond.
fn connect_now(path: &Path) -> io::Result<OwnedFd> {
    let (short, _dir) = socket_path(path)?;
    connect_address(&SocketAddrUnix::new(short)?)
}

fn connect_address(address: &SocketAddrUnix) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, address)?;
    Ok(socket)
}

/// Returns the abstract name for the control socket at `path`.
fn alias(path: &Path) -> String {
    // FNV-1a: the hash must not change between versions of Portway.
    let bytes = path.as_os_str().as_encoded_bytes();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let user = rustix::process::geteuid().as_raw();
    format!("portway/{user}/{hash:016x}")
}

/// Listens at the abstract address for the control socket at `path`. It exists as long as its process.
pub(crate) fn alias_listener(path: &Path) -> io::Result<Option<UnixListener>> {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(alias(path))?)?;
    listener.set_nonblocking(true)?;
    Ok(Some(listener))
}

/// Connects to the abstract address for the control socket at `path`. Every user can listen there, so
/// a listener of another user is an error.
pub(crate) fn connect_alias(path: &Path) -> io::Result<UnixStream> {
    let socket = connect_address(&SocketAddrUnix::new_abstract_name(alias(path).as_bytes())?)?;
    if socket_peercred(&socket)?.uid != rustix::process::geteuid() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    Ok(UnixStream::from(socket))
}
