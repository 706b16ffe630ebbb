//! Liveness: OS file locks that the kernel drops with their owner.
//!
//! Two files per instance, so that two kinds of owner are told apart: a supervisor holds the one
//! alone; commands that merely use the instance's ports (`portway exec`) share the other.
//!
//! Asking takes the lock for an instant. Whoever asks or takes therefore holds the registry's lock
//! meanwhile, or a supervisor could be turned away by a mere question.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// An instance's lock, held until it is dropped.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

/// How long another command may have the registry before that is an error: each needs it for
/// milliseconds, so this one is stopped or stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takes a lock, queued by the kernel behind those who came before.
pub(crate) fn exclusive(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(error),
        Err(TryLockError::WouldBlock) => {}
    }
    // There is no waiting with a limit in the kernel's queue; a thread waits, and its owner with a
    // limit for it.
    let (done, waits) = mpsc::channel();
    let waiting = file.try_clone()?;
    thread::spawn(move || {
        let _ = done.send(waiting.lock());
    });
    waits.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        Err(io::Error::other(
            "another portway command has had it for too long; is one stopped?",
        ))
    })
}

/// The directory of everything that belongs to one instance: locks, control socket, logs.
pub fn instance_dir(state: &Path, id: &str) -> PathBuf {
    state.join("instances").join(id)
}

/// The ids of all instances of which something is kept.
pub(crate) fn instance_dirs(state: &Path) -> Vec<String> {
    fs::read_dir(state.join("instances"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Makes a directory that only its owner may enter.
///
/// # Errors
/// When it cannot be made, or its rights cannot be narrowed.
pub fn private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    // It may have been there before with wider rights.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(dir)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        }
    }
    Ok(())
}

fn open(dir: &Path, name: &str) -> io::Result<File> {
    private_dir(dir)?;
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(dir.join(name))
}

const SUPERVISOR: &str = "supervisor.lock";
const USERS: &str = "users.lock";

/// Takes the supervisor's lock; `None` when another supervisor has it.
pub(crate) fn supervise(dir: &Path) -> io::Result<Option<InstanceLock>> {
    let file = open(dir, SUPERVISOR)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(InstanceLock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes a user's lock, beside any number of others.
pub(crate) fn share(dir: &Path) -> io::Result<InstanceLock> {
    let file = open(dir, USERS)?;
    file.lock_shared()?;
    Ok(InstanceLock { _file: file })
}

/// Whether a supervisor lives.
pub(crate) fn is_supervised(dir: &Path) -> bool {
    is_locked(&dir.join(SUPERVISOR))
}

/// Whether a command uses the ports of the instance with this directory, without a supervisor.
/// For the function that holds ports: it runs inside the registry's lock.
pub fn is_used(dir: &Path) -> bool {
    is_locked(&dir.join(USERS))
}

fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
