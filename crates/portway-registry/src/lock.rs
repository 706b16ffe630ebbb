//! File locks that show which instances are running. The kernel releases them with their owner.
//!
//! Each instance has two lock files: a supervisor holds the first exclusively, and commands that use
//! the instance's ports without a supervisor (`portway exec`) share the second.
//!
//! Testing a lock acquires it for a moment, which could prevent a supervisor from starting. So a
//! process holds the registry's lock while it tests or acquires one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A lock of an instance. Dropping it releases the lock.
#[derive(Debug)]
#[must_use = "the lock is released as soon as it is dropped"]
pub struct InstanceLock {
    _file: File,
}

/// How long to wait for another command to release the registry. Each holds it for milliseconds, so
/// a longer wait means that one is suspended or hangs.
const REGISTRY_LOCK_TIMEOUT: Duration = Duration::from_secs(20);

const SUPERVISOR_LOCK: &str = "supervisor.lock";
const USERS_LOCK: &str = "users.lock";

/// Locks a file exclusively. Waiting processes are queued by the kernel.
pub(crate) fn lock_exclusive(file: &File) -> io::Result<()> {
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
    receiver
        .recv_timeout(REGISTRY_LOCK_TIMEOUT)
        .unwrap_or_else(|_| {
            let seconds = REGISTRY_LOCK_TIMEOUT.as_secs();
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("another `portway` command has locked it for more than {seconds} s"),
            ))
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
    refuse_link(path)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Fails if a file of Portway is a symbolic link: Portway never writes through one.
pub(crate) fn refuse_link(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Err(io::Error::other("it is a symbolic link")),
        _ => Ok(()),
    }
}

fn open(dir: &Path, name: &str) -> io::Result<File> {
    refuse_link(dir)?;
    create_private_dir(dir)?;
    open_lock_file(&dir.join(name))
}

/// Acquires the supervisor's lock; `None` if the instance has a supervisor.
pub(crate) fn lock_as_supervisor(dir: &Path) -> io::Result<Option<InstanceLock>> {
    let file = open(dir, SUPERVISOR_LOCK)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(InstanceLock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Acquires a shared lock for a command that uses the instance's ports.
pub(crate) fn lock_as_user(dir: &Path) -> io::Result<InstanceLock> {
    let file = open(dir, USERS_LOCK)?;
    file.lock_shared()?;
    Ok(InstanceLock { _file: file })
}

/// Returns whether the instance with this directory has a supervisor.
///
/// # Errors
/// Fails if that is unknown, for example because this process has too many files open.
pub(crate) fn has_supervisor(dir: &Path) -> io::Result<bool> {
    is_locked(&dir.join(SUPERVISOR_LOCK))
}

/// Returns whether commands use the ports of the instance with this directory without a supervisor.
/// Call it only inside the registry's lock, that is from the function that holds ports.
///
/// # Errors
/// Fails if that is unknown.
pub fn has_users(dir: &Path) -> io::Result<bool> {
    is_locked(&dir.join(USERS_LOCK))
}

/// Returns whether a process uses the ports of the instance. If that is unknown, it counts as used.
pub(crate) fn may_be_used(dir: &Path) -> bool {
    has_supervisor(dir).unwrap_or(true) || has_users(dir).unwrap_or(true)
}

fn is_locked(path: &Path) -> io::Result<bool> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match File::open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_is_never_a_link() {
        let temp = tempfile::tempdir().unwrap();
        let (link, target) = (temp.path().join("link"), temp.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(open_lock_file(&link).is_err());
        assert!(!target.exists());
        open_lock_file(&target).unwrap();
    }

    #[test]
    fn an_unreadable_lock_is_unknown() {
        let temp = tempfile::tempdir().unwrap();
        assert!(!has_supervisor(temp.path()).unwrap());
        assert!(!may_be_used(temp.path()));
        let lock = temp.path().join(SUPERVISOR_LOCK);
        // A link to itself cannot be opened, as if too many files were open.
        std::os::unix::fs::symlink(&lock, &lock).unwrap();
        assert!(has_supervisor(temp.path()).is_err());
        assert!(may_be_used(temp.path()));
    }
}
