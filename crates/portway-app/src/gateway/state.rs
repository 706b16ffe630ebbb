//! The state of this user's gateway on disk: its lock, where it serves, its fixed ports.
//!
//! One gateway runs at a time. It holds an OS file lock for as long as it lives, and what it has written
//! about itself counts only while that is held: no pid is trusted.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;

use portway_api::{ErrorCode, Forward, GatewayPorts, GatewayStatus};

use crate::dirs;
use crate::error::CommandError;

/// The gateway's directory: its lock, its control socket, what it says of itself.
pub(crate) fn dir() -> Result<PathBuf, CommandError> {
    Ok(dirs::state_dir()?.join("gateway"))
}

/// The lock that a running gateway holds.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock; `None` when another gateway has it.
pub(crate) fn lock() -> Result<Option<Lock>, CommandError> {
    let dir = dir()?;
    let take = || -> io::Result<Option<Lock>> {
        portway_registry::create_private_dir(&dir)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let file = options.open(dir.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => {
                // What the last one said of itself is not true of this one.
                let _ = fs::remove_file(dir.join(STATUS));
                Ok(Some(Lock { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    };
    take().map_err(|error| CommandError::file("lock", &dir.join(LOCK), &error))
}

const LOCK: &str = "gateway.lock";
const STATUS: &str = "gateway.json";
const LAST: &str = "last.json";

/// Whether one runs.
pub(crate) fn is_running() -> Result<bool, CommandError> {
    let lock = dir()?.join(LOCK);
    Ok(File::open(lock)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))))
}

/// The gateway that runs, if one does.
pub(crate) fn status() -> Result<Option<GatewayStatus>, CommandError> {
    if !is_running()? {
        return Ok(None);
    }
    // Not yet written, or of another version: then it is as if there were none.
    let text = fs::read(dir()?.join(STATUS)).unwrap_or_default();
    Ok(serde_json::from_slice(&text).ok())
}

/// The gateway that runs, or what the last one that ran said of itself.
pub(crate) fn last() -> Result<Option<GatewayStatus>, CommandError> {
    let path = dir()?.join(LAST);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::file("read", &path, &error)),
    };
    let broken = |why: String| {
        let message = format!("{} is broken: {why}", path.display());
        CommandError::new(ErrorCode::State, message)
            .hint("remove it; fixed ports have to be given again then (`portway forward`)")
    };
    let last: GatewayStatus =
        serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
    if last.port == 0 || last.forwards.iter().any(|one| one.port == 0) {
        return Err(broken("0 is no port".to_owned()));
    }
    Ok(Some(last))
}

/// Where that one serves. The next one will be there too, so that services which let pages in go on
/// doing so.
pub(crate) fn last_ports() -> Result<Option<GatewayPorts>, CommandError> {
    Ok(last()?.as_ref().map(GatewayPorts::from))
}

/// Has the next gateway not know a fixed port; while one runs, it is asked itself.
pub(crate) fn forget_fixed(port: u16) -> Result<Option<Forward>, CommandError> {
    let Some(_lock) = lock()? else {
        return Ok(None);
    };
    let Some(mut last) = last()? else {
        return Ok(None);
    };
    let found = last.forwards.iter().position(|one| one.port == port);
    let ended = found.map(|index| last.forwards.remove(index));
    if ended.is_some() {
        write(LAST, &last)?;
    }
    Ok(ended)
}

/// Writes what the gateway says of itself; whoever reads it sees all of it or the former text.
pub(crate) fn publish(status: &GatewayStatus) -> Result<(), CommandError> {
    write(LAST, status)?;
    write(STATUS, status)
}

/// Writes a file of the gateway's directory, unless it says that already.
fn write(name: &str, status: &GatewayStatus) -> Result<(), CommandError> {
    let path = dir()?.join(name);
    let write = || -> io::Result<()> {
        let text = serde_json::to_vec(status)?;
        if fs::read(&path).is_ok_and(|written| written == text) {
            return Ok(());
        }
        let new = path.with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, &path)
    };
    write().map_err(|error| CommandError::file("write", &path, &error))
}

/// What a gateway does on a port of its own, and what has it let go.
pub(crate) fn on_port(gateway: &GatewayStatus, port: u16) -> (String, String) {
    match gateway.forwards.iter().find(|one| one.port == port) {
        Some(forward) => (
            format!(
                "the gateway has it lead to `{}` of {}",
                forward.service, forward.instance
            ),
            format!("`portway forward {port} --stop` lets it go"),
        ),
        None => (
            "the gateway serves names there".to_owned(),
            "`portway gateway stop` ends it; services go on".to_owned(),
        ),
    }
}
