//! File locks that show which instances are running. The kernel releases them with their owner.
//!
//! Each instance has two lock files: a supervisor holds the first exclusively, and commands that use
//! the instance's ports without a supervisor (`portway exec`) share the second.
//!
//! Testing a lock acquires it for a moment, shared, which tests of other processes do not notice. A
//! supervisor that starts at this moment tries again.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::DirectoryId;
use crate::private_file::refuse_link;

/// A lock of an instance. Dropping it releases the lock.
#[derive(Debug)]
#[must_use = "the lock is released as soon as it is dropped"]
pub struct InstanceLock {
    file: File,
    path: PathBuf,
}

impl InstanceLock {
    /// Returns whether other processes can see the lock: its file was not deleted or replaced.
    pub fn is_visible(&self) -> bool {
        let (Ok(own), Ok(named)) = (self.file.metadata(), fs::metadata(&self.path)) else {
            return false;
        };
        DirectoryId::of(&own) == DirectoryId::of(&named)
    }
}

/// How long to wait for another command to release the registry. Each holds it for milliseconds, so
/// a longer wait means that one is suspended or hangs.
const REGISTRY_LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait before the wait is reported.
const REPORT_DELAY: Duration = Duration::from_secs(2);

/// How long to wait for a suspended process, which releases nothing before somebody resumes it.
const SUSPENDED_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a supervisor tries again to lock its instance: another command may be testing the lock.
const LOCK_ATTEMPTS: u32 = 5;

const LOCK_RETRY_DELAY: Duration = Duration::from_millis(5);

const SUPERVISOR_LOCK: &str = "supervisor.lock";
const USERS_LOCK: &str = "users.lock";

/// A command waits for another one that has locked the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryWait {
    /// The lock file.
    pub file: PathBuf,
    /// The pid of the process that holds the lock, if the system reports it.
    pub holder: Option<u32>,
}

type Observer = Box<dyn Fn(&RegistryWait) -> bool + Send + Sync>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// Sets the function that reports a wait. It is called after some seconds, and again once per second,
/// and returns whether the holder is suspended. Only the first call of `on_wait` has an effect.
pub fn on_wait(report: impl Fn(&RegistryWait) -> bool + Send + Sync + 'static) {
    // Later calls are ignored.
    let _ = OBSERVER.set(Box::new(report));
}

/// Locks a file exclusively. Waiting processes are queued by the kernel.
pub(crate) fn lock_exclusive(file: &File, path: &Path) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(error),
        Err(TryLockError::WouldBlock) => {}
    }
    tracing::debug!("waiting for another command to release the registry");
    // The kernel's queue has no timeout, so a thread waits in it, and this one for the thread.
    let (sender, receiver) = mpsc::channel();
    let waiting = file.try_clone()?;
    thread::spawn(move || {
        // The receiver is gone after the timeout.
        let _ = sender.send(waiting.lock());
    });
    let start = Instant::now();
    let mut next = REPORT_DELAY;
    loop {
        let elapsed = start.elapsed();
        match receiver.recv_timeout(next.saturating_sub(elapsed)) {
            Ok(result) => return result,
            Err(_) if elapsed < next => {}
            Err(_) => {
                next += Duration::from_secs(1);
                let wait = RegistryWait {
                    file: path.to_owned(),
                    holder: holder(file),
                };
                let is_suspended = OBSERVER.get().is_some_and(|report| report(&wait));
                if elapsed >= REGISTRY_LOCK_TIMEOUT || is_suspended && elapsed >= SUSPENDED_TIMEOUT
                {
                    return Err(timed_out(&wait, is_suspended, elapsed));
                }
            }
        }
    }
}

fn timed_out(wait: &RegistryWait, is_suspended: bool, elapsed: Duration) -> io::Error {
    let who = match wait.holder {
        Some(pid) if is_suspended => format!("the suspended process {pid}"),
        Some(pid) => format!("process {pid}"),
        None => "another `portway` command".to_owned(),
    };
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("{who} has locked it for more than {} s", elapsed.as_secs()),
    )
}

/// Returns the pid of the process that holds the lock of an open file, if the system reports it.
fn holder(file: &File) -> Option<u32> {
    let id = DirectoryId::of(&file.metadata().ok()?)?;
    holder_in(&fs::read_to_string("/proc/locks").ok()?, id.inode)
}

/// Finds the holder of a lock in the text of Linux's `/proc/locks`. The device is not compared,
/// because some file systems report another one there.
fn holder_in(locks: &str, inode: u64) -> Option<u32> {
    let suffix = format!(":{inode}");
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            // `1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE START END`. Waiting processes have `->`
            // as the second field.
            [_, "FLOCK", _, _, pid, file, ..] if file.ends_with(&suffix) => {
                pid.parse().ok().filter(|&pid| pid > 0)
            }
            _ => None,
        }
    })
}

/// Opens a file to lock it, and creates it on request with access for its owner only. A file on a
/// read-only file system can be locked too.
pub(crate) fn open_lock(path: &Path, create: bool) -> io::Result<File> {
    refuse_link(path)?;
    let mut options = OpenOptions::new();
    options
        .create(create)
        .truncate(false)
        .read(true)
        .write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).or_else(|error| match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull => File::open(path),
        _ => Err(error),
    })
}

/// Returns the directory of one instance: locks, control socket, logs.
pub fn instance_dir(state: &Path, id: &str) -> PathBuf {
    state.join("instances").join(id)
}

/// Returns the ids of all instances that have a directory.
pub fn instance_ids(state: &Path) -> Vec<String> {
    fs::read_dir(state.join("instances"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Creates a directory that only its owner may access, or restricts an existing one.
///
/// # Errors
/// Fails if the directory cannot be created or restricted.
pub fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(dir)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        }
    }
    Ok(())
}

/// Opens a lock file that only its owner may access, and creates it if it does not exist.
///
/// # Errors
/// Fails if the file is a symbolic link or cannot be opened.
pub fn open_lock_file(path: &Path) -> io::Result<File> {
    open_lock(path, true)
}

fn open(dir: &Path, name: &str) -> io::Result<File> {
    refuse_link(dir)?;
    create_private_dir(dir)?;
    open_lock_file(&dir.join(name))
}

/// Acquires the supervisor's lock of the instance with this directory; `None` if it has a supervisor.
///
/// # Errors
/// Fails if the lock file cannot be created.
pub fn lock_as_supervisor(dir: &Path) -> io::Result<Option<InstanceLock>> {
    let file = open(dir, SUPERVISOR_LOCK)?;
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => {
                let path = dir.join(SUPERVISOR_LOCK);
                return Ok(Some(InstanceLock { file, path }));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_RETRY_DELAY),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Acquires a shared lock for a command that uses the instance's ports.
pub(crate) fn lock_as_user(dir: &Path) -> io::Result<InstanceLock> {
    let file = open(dir, USERS_LOCK)?;
    file.lock_shared()?;
    let path = dir.join(USERS_LOCK);
    Ok(InstanceLock { file, path })
}

/// Returns whether the instance with this directory has a supervisor: whether its lock is held. Needs
/// no database. If that is unknown, it counts as one.
pub fn has_supervisor(dir: &Path) -> bool {
    // Tests of several processes do not exclude each other.
    is_locked(&dir.join(SUPERVISOR_LOCK), File::try_lock_shared)
}

/// Returns whether the instance with this directory has a file for the supervisor's lock. If it has
/// none, the state directory was deleted, or the instance never ran.
pub fn has_lock_file(dir: &Path) -> bool {
    dir.join(SUPERVISOR_LOCK).exists()
}

/// Returns whether commands use the ports of the instance with this directory without a supervisor.
/// Call it only inside the registry's lock, that is from the function that holds ports.
/// If that is unknown, they count as used.
pub fn has_users(dir: &Path) -> bool {
    // The users' own locks are shared.
    is_locked(&dir.join(USERS_LOCK), File::try_lock)
}

/// Returns whether a lock on a file is refused, or cannot be requested, for example because this
/// process has too many files open.
fn is_locked(path: &Path, request: fn(&File) -> Result<(), TryLockError>) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    match File::open(path) {
        Ok(file) => request(&file).is_err(),
        Err(error) => !matches!(error.kind(), NotFound | NotADirectory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_holder_of_a_lock() {
        let locks = "\
1: POSIX  ADVISORY  READ  901 fe:00:1045 0 EOF
2: FLOCK  ADVISORY  WRITE 902 fe:00:1046 0 EOF
2: -> FLOCK  ADVISORY  WRITE 903 fe:00:1046 0 EOF
3: FLOCK  ADVISORY  WRITE -1 fe:00:1047 0 EOF
";
        assert_eq!(holder_in(locks, 1046), Some(902));
        // A lock of another kind, of a process outside of this namespace, and none.
        for inode in [1045, 1047, 46] {
            assert_eq!(holder_in(locks, inode), None, "{inode}");
        }
    }

    #[test]
    fn a_deleted_lock_is_not_visible() {
        let temp = tempfile::tempdir().unwrap();
        let lock = lock_as_supervisor(temp.path()).unwrap().unwrap();
        assert!(lock.is_visible() && has_supervisor(temp.path()));
        assert!(lock_as_supervisor(temp.path()).unwrap().is_none());
        fs::remove_file(temp.path().join(SUPERVISOR_LOCK)).unwrap();
        assert!(!lock.is_visible() && !has_supervisor(temp.path()));
        // The same instance locks itself again.
        let again = lock_as_supervisor(temp.path()).unwrap().unwrap();
        assert!(again.is_visible() && !lock.is_visible());
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_is_never_a_link() {
        let temp = tempfile::tempdir().unwrap();
        let (link, target) = (temp.path().join("link"), temp.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(open_lock_file(&link).is_err());
        assert!(!target.exists());
        open_lock_file(&target).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn an_unreadable_lock_counts_as_held() {
        let temp = tempfile::tempdir().unwrap();
        assert!(!has_supervisor(temp.path()) && !has_users(temp.path()));
        let lock = temp.path().join(SUPERVISOR_LOCK);
        // A link to itself cannot be opened, as if too many files were open.
        std::os::unix::fs::symlink(&lock, &lock).unwrap();
        assert!(has_supervisor(temp.path()));
    }
}
