//! The gateway of this user: where it is, whether it runs, what it serves.
//!
//! One runs at a time. It holds an OS file lock for as long as it lives, and what it has written
//! about itself counts only while that is held: no pid is trusted.

mod background;
mod listen;
mod machine;
pub(crate) mod service;
mod source;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;

use portway_api::{ErrorCode, GatewayStatus, InstanceStatus};
use portway_supervisor::control::{self, Client};

use crate::error::CommandError;
use crate::follow::runtime;
use crate::home;

pub(crate) use background::ensure;
pub(crate) use listen::{listen, listen_for_tls, port_of};
pub(crate) use machine::Machine;
pub(crate) use source::source;

/// The gateway's directory: its lock, its control socket, what it says of itself.
pub(crate) fn dir() -> Result<PathBuf, CommandError> {
    Ok(home::state_dir()?.join("gateway"))
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
        portway_registry::private_dir(&dir)?;
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
    let text = fs::read(dir()?.join(LAST)).unwrap_or_default();
    Ok(serde_json::from_slice(&text).ok())
}

/// Where that one serves: the port of HTTP, and that of HTTPS. The next one will be there too, so
/// that services which let pages under names in go on doing so.
pub(crate) fn last_ports() -> Result<Option<(u16, Option<u16>)>, CommandError> {
    Ok(last()?.map(|last| (last.port, last.tls_port)))
}

/// Writes what the gateway says of itself; whoever reads it sees all of it or the former text.
pub(crate) fn publish(status: &GatewayStatus) -> Result<(), CommandError> {
    for name in [LAST, STATUS] {
        let path = dir()?.join(name);
        let write = || -> io::Result<()> {
            let new = path.with_extension("new");
            fs::write(&new, serde_json::to_vec(status)?)?;
            fs::rename(&new, &path)
        };
        write().map_err(|error| CommandError::file("write", &path, &error))?;
    }
    Ok(())
}

/// All instances, asked of the gateway that runs.
pub(crate) fn instances() -> Result<Vec<InstanceStatus>, CommandError> {
    let client = Client::new(&dir()?.join(control::SOCKET));
    let asked = runtime()?.block_on(client.get("/v1/instances"));
    asked.map_err(|error| {
        CommandError::new(
            ErrorCode::NotRunning,
            format!("the gateway does not answer: {error}"),
        )
    })
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

/// The error of a command that needs a gateway.
pub(crate) fn not_running() -> CommandError {
    CommandError::new(ErrorCode::NotRunning, "the gateway does not run")
        .hint("start it: `portway gateway --detach`")
}
