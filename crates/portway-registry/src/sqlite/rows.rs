//! Converts between table rows and values.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Statement};
use serde::de::DeserializeOwned;

use crate::{DirectoryId, Instance, Lease};

/// The columns that [`instance`] reads.
pub(super) const INSTANCE: &str =
    "id, dir, project, name, branch, main, options, last_used, gateway, device, inode";

/// The query of [`directory`].
pub(super) const DIRECTORY: &str = "SELECT dir, device FROM instances WHERE id = ?1";

pub(super) fn instance(row: &rusqlite::Row<'_>) -> rusqlite::Result<Instance> {
    Ok(Instance {
        id: row.get(0)?,
        dir: path(row.get(1)?),
        project: row.get(2)?,
        name: row.get(3)?,
        branch: row.get(4)?,
        is_main: row.get(5)?,
        options: list(row.get(6)?),
        last_used: row.get(7)?,
        gateway: json(row.get(8)?),
        identity: identity(row.get(9)?, row.get(10)?),
    })
}

/// Returns the instance with this id.
pub(super) fn instance_by_id(connection: &Connection, id: &str) -> rusqlite::Result<Instance> {
    connection.query_row(
        &format!("SELECT {INSTANCE} FROM instances WHERE id = ?1"),
        [id],
        instance,
    )
}

/// Returns all leases, ordered by port.
pub(super) fn leases(connection: &Connection) -> rusqlite::Result<Vec<Lease>> {
    let mut statement = connection.prepare(
        "SELECT port, instance, service, name, wish, yielded, last_used FROM leases ORDER BY port",
    )?;
    let leases = statement.query_map([], |row| {
        Ok(Lease {
            port: row.get(0)?,
            instance: row.get(1)?,
            service: row.get(2)?,
            name: row.get(3)?,
            forced_port: row.get(4)?,
            yielded_port: row.get(5)?,
            last_used: row.get(6)?,
        })
    })?;
    leases.collect()
}

/// Converts the columns with an identity. SQLite stores signed numbers, so the bits are kept.
fn identity(device: Option<i64>, inode: Option<i64>) -> Option<DirectoryId> {
    Some(DirectoryId {
        device: device?.cast_unsigned(),
        inode: inode?.cast_unsigned(),
    })
}

/// Converts an identity to the columns `device` and `inode`.
pub(super) fn identity_columns(identity: Option<DirectoryId>) -> (Option<i64>, Option<i64>) {
    (
        identity.map(|id| id.device.cast_signed()),
        identity.map(|id| id.inode.cast_signed()),
    )
}

/// Returns the directory of one instance and the device on which it was.
pub(super) fn directory(
    statement: &mut Statement<'_>,
    id: &str,
) -> rusqlite::Result<Option<(PathBuf, Option<u64>)>> {
    statement
        .query_row([id], |row| {
            let device: Option<i64> = row.get(1)?;
            Ok((path(row.get(0)?), device.map(i64::cast_unsigned)))
        })
        .optional()
}

/// Returns the directories of all instances, by id.
pub(super) fn directories(connection: &Connection) -> rusqlite::Result<HashMap<String, PathBuf>> {
    let mut statement = connection.prepare("SELECT id, dir FROM instances")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, path(row.get(1)?))))?;
    rows.collect()
}

/// Converts the bytes of a stored path.
#[cfg(unix)]
fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(
        bytes,
    ))
}

/// Converts the bytes of a stored path. In practice paths on Windows are valid Unicode.
#[cfg(not(unix))]
fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Parses a list that was stored as JSON.
pub(super) fn list(text: String) -> Vec<String> {
    json(Some(text)).unwrap_or_default()
}

/// Parses a value that was stored as JSON. Returns `None` if another version stored it in another
/// form.
pub(super) fn json<T: DeserializeOwned>(text: Option<String>) -> Option<T> {
    serde_json::from_str(&text?).ok()
}
