//! The state of this user's gateway on disk: its lock, its ports and its forwards.
//!
//! At most one gateway runs per user. It holds an OS file lock while it runs, and its status file
//! is valid only while the lock is held. The pid in the file is never used to decide whether it
//! runs.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;

use portway_api::{ErrorCode, Forward, GatewayPorts, GatewayStatus};
use portway_registry::replace_file;

use crate::dirs;
use crate::error::CommandError;

/// Returns the gateway's directory, which contains its lock, control socket and status files.
pub(crate) fn dir() -> Result<PathBuf, CommandError> {
    Ok(dirs::state_dir()?.join("gateway"))
}

/// The lock that a running gateway holds.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Acquires the lock; `None` if another gateway holds it.
pub(crate) fn lock() -> Result<Option<Lock>, CommandError> {
    let dir = dir()?;
    let acquire = || -> io::Result<Option<Lock>> {
        portway_registry::create_private_dir(&dir)?;
        let file = portway_registry::open_lock_file(&dir.join(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => {
                // The status of the previous gateway is no longer valid.
                let _ = fs::remove_file(dir.join(STATUS_FILE));
                Ok(Some(Lock { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    };
    acquire().map_err(|error| CommandError::file("lock", &dir.join(LOCK_FILE), error))
}

const LOCK_FILE: &str = "gateway.lock";
/// The status of the running gateway.
const STATUS_FILE: &str = "gateway.json";
/// The last status, which the next gateway restores.
const LAST_STATUS_FILE: &str = "last.json";

/// Returns whether a gateway is running.
pub(crate) fn is_running() -> Result<bool, CommandError> {
    let lock = dir()?.join(LOCK_FILE);
    let is_locked = match File::open(&lock) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    };
    is_locked.map_err(|error| CommandError::file("read", &lock, error))
}

/// Returns whether the file does not exist. After any other error, it may exist.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Returns the status of the running gateway, if there is one.
pub(crate) fn status() -> Result<Option<GatewayStatus>, CommandError> {
    if !is_running()? {
        return Ok(None);
    }
    // A missing file, or one of another version, counts as no gateway.
    let text = fs::read(dir()?.join(STATUS_FILE)).unwrap_or_default();
    Ok(serde_json::from_slice(&text).ok())
}

/// Returns the last saved status of a gateway, which may still be running.
pub(crate) fn last() -> Result<Option<GatewayStatus>, CommandError> {
    let path = dir()?.join(LAST_STATUS_FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::file("read", &path, error)),
    };
    let invalid = |reason: String| {
        let message = format!("`{}` is invalid: {reason}", path.display());
        CommandError::new(ErrorCode::State, message)
            .hint("delete the file, then run `portway forward` again for each fixed port")
    };
    let last: GatewayStatus =
        serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    if last.port == 0 || last.forwards.iter().any(|one| one.port == 0) {
        return Err(invalid("0 is not a valid port".to_owned()));
    }
    Ok(Some(last))
}

/// Returns the ports of the last gateway. The next gateway uses the same ports, so that the CORS
/// origins of running services stay valid.
pub(crate) fn last_ports() -> Result<Option<GatewayPorts>, CommandError> {
    Ok(last()?.as_ref().map(GatewayPorts::from))
}

/// Removes a saved forward. Returns `None` if there is none, or if a gateway is running, which must
/// receive the request instead.
pub(crate) fn remove_saved_forward(port: u16) -> Result<Option<Forward>, CommandError> {
    let Some(_lock) = lock()? else {
        return Ok(None);
    };
    let Some(mut last) = last()? else {
        return Ok(None);
    };
    let index = last.forwards.iter().position(|one| one.port == port);
    let removed = index.map(|index| last.forwards.remove(index));
    if removed.is_some() {
        write(LAST_STATUS_FILE, &last)?;
    }
    Ok(removed)
}

/// Saves the status of the running gateway. Each file is replaced atomically.
pub(crate) fn publish(status: &GatewayStatus) -> Result<(), CommandError> {
    write(LAST_STATUS_FILE, status)?;
    write(STATUS_FILE, status)
}

/// Writes a status to a file of the gateway's directory, unless the file already contains it.
fn write(name: &str, status: &GatewayStatus) -> Result<(), CommandError> {
    let path = dir()?.join(name);
    let write = || -> io::Result<()> {
        let text = serde_json::to_vec(status)?;
        if fs::read(&path).is_ok_and(|written| written == text) {
            return Ok(());
        }
        replace_file(&path, &text)
    };
    write().map_err(|error| CommandError::file("write", &path, error))
}

/// Describes how the gateway uses one of its ports, and how to release the port.
pub(crate) fn describe_port_usage(gateway: &GatewayStatus, port: u16) -> (String, String) {
    match gateway.forwards.iter().find(|one| one.port == port) {
        Some(forward) => (
            format!(
                "the gateway forwards it to `{}` of `{}`",
                forward.service, forward.instance
            ),
            format!("run `portway forward {port} --stop` to release it"),
        ),
        None => (
            "the gateway listens on it".to_owned(),
            "run `portway gateway stop` to stop the gateway; services keep running".to_owned(),
        ),
    }
}
