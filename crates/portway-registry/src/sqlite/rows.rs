//! Rows of the tables as values, and back.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Statement, Transaction, params};

use crate::choose::{Allotted, Request, Wanted};
use crate::{Instance, Lease, Millis};

/// The columns that [`instance`] reads.
pub(super) const INSTANCE: &str =
    "id, dir, project, name, branch, main, options, last_used, gateway";

pub(super) fn instance(row: &rusqlite::Row<'_>) -> rusqlite::Result<Instance> {
    Ok(Instance {
        id: row.get(0)?,
        dir: path(row.get(1)?),
        project: row.get(2)?,
        name: row.get(3)?,
        branch: row.get(4)?,
        main: row.get(5)?,
        options: list(row.get(6)?),
        last_used: row.get(7)?,
        gateway: row.get(8)?,
    })
}

pub(super) fn leases(connection: &Connection) -> rusqlite::Result<Vec<Lease>> {
    let mut statement = connection.prepare(
        "SELECT port, instance, service, name, wish, last_used FROM leases ORDER BY port",
    )?;
    let leases = statement.query_map([], |row| {
        Ok(Lease {
            port: row.get(0)?,
            instance: row.get(1)?,
            service: row.get(2)?,
            name: row.get(3)?,
            wish: row.get(4)?,
            last_used: row.get(5)?,
        })
    })?;
    leases.collect()
}

/// What [`directory`] asks.
pub(super) const DIRECTORY: &str = "SELECT dir FROM instances WHERE id = ?1";

/// The directory of one instance.
pub(super) fn directory(
    statement: &mut Statement<'_>,
    id: &str,
) -> rusqlite::Result<Option<PathBuf>> {
    statement
        .query_row([id], |row| row.get(0).map(path))
        .optional()
}

pub(super) fn directories(connection: &Connection) -> rusqlite::Result<HashMap<String, PathBuf>> {
    let mut statement = connection.prepare("SELECT id, dir FROM instances")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, path(row.get(1)?))))?;
    rows.collect()
}

/// How long a use that changed nothing may go unrecorded. It orders the kept leases, oldest first,
/// and a write waits several milliseconds for the disk.
const USE_RECORDED: Millis = 60_000;

/// Writes down what was given; answers whether that was news.
pub(super) fn record(
    transaction: &Transaction<'_>,
    request: &Request<'_>,
    given: &[Allotted],
    leases: &[Lease],
    now: Millis,
) -> rusqlite::Result<bool> {
    let id = request.instance;
    if is_recorded(request, given, leases, now) {
        return Ok(false);
    }
    if request.whole {
        transaction.execute("DELETE FROM leases WHERE instance = ?1", [id])?;
    }
    for (one, wanted) in given.iter().zip(&request.wanted) {
        transaction.execute(
            "DELETE FROM leases WHERE port = ?1
             OR (instance = ?2 AND service = ?3 AND name = ?4)",
            params![one.port, id, one.service, one.name],
        )?;
        transaction.execute(
            "INSERT INTO leases (port, instance, service, name, wish, last_used)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![one.port, id, one.service, one.name, wanted.wish, now],
        )?;
    }
    transaction
        .execute(
            "UPDATE instances SET last_used = ?2 WHERE id = ?1",
            params![id, now],
        )
        .map(|_| true)
}

/// Whether the leases are these already, and recently used.
fn is_recorded(request: &Request<'_>, given: &[Allotted], leases: &[Lease], now: Millis) -> bool {
    let own = |lease: &&Lease| lease.instance == request.instance;
    let is_there = |(one, wanted): (&Allotted, &Wanted)| {
        leases.iter().filter(own).any(|lease| {
            (lease.port, &lease.service, &lease.name, lease.wish)
                == (one.port, &one.service, &one.name, wanted.wish)
                && now.abs_diff(lease.last_used) < USE_RECORDED
        })
    };
    given.iter().zip(&request.wanted).all(is_there)
        && (!request.whole || leases.iter().filter(own).count() == given.len())
}

/// A directory as it was stored by [`SqliteRegistry::enroll`].
#[cfg(unix)]
pub(super) fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(
        bytes,
    ))
}

/// A directory as it was stored: on Windows a real path is always Unicode in practice.
#[cfg(not(unix))]
pub(super) fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from(String::from_utf8_lossy(&bytes).into_owned()))
}

/// A list that was stored as JSON.
pub(super) fn list(text: String) -> Vec<String> {
    serde_json::from_str(&text).unwrap_or_default()
}
