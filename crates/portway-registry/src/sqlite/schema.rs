//! The schema of the database. Older versions of Portway must be able to read it, so columns are
//! added and never renamed.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::RegistryError;

/// Each entry upgrades the schema from its index to the next version (`PRAGMA user_version`).
///
/// `leases.wish` is the forced port, and `leases.yielded` the preferred port that another user had.
/// `written` has the contents of `.ports.json` files that Portway
/// wrote. `device` and `inode` identify the directory when it was last used.
pub(super) const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE instances (
        id TEXT PRIMARY KEY,
        dir BLOB NOT NULL UNIQUE,
        project TEXT NOT NULL,
        name TEXT NOT NULL UNIQUE,
        branch TEXT,
        main INTEGER NOT NULL,
        options TEXT NOT NULL DEFAULT '[]',
        written TEXT,
        last_used INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE leases (
        port INTEGER PRIMARY KEY CHECK (port BETWEEN 1 AND 65535),
        instance TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
        service TEXT NOT NULL,
        name TEXT NOT NULL,
        wish INTEGER CHECK (wish BETWEEN 1 AND 65535),
        last_used INTEGER NOT NULL,
        UNIQUE (instance, service, name)
    ) STRICT;
    CREATE TABLE written (
        content TEXT PRIMARY KEY,
        at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE prepared (
        instance TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
        service TEXT NOT NULL,
        digest TEXT NOT NULL,
        outputs TEXT NOT NULL,
        PRIMARY KEY (instance, service)
    ) STRICT;
    ",
    "
    ALTER TABLE instances ADD COLUMN gateway TEXT;
    ",
    "
    ALTER TABLE instances ADD COLUMN device INTEGER;
    ALTER TABLE instances ADD COLUMN inode INTEGER;
    ",
    "
    ALTER TABLE leases ADD COLUMN yielded INTEGER CHECK (yielded BETWEEN 1 AND 65535);
    ",
];

/// How long SQLite waits for a lock of another program. Portway's own commands queue for the
/// registry's lock file instead.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Sets the options of a connection and upgrades the schema.
pub(super) fn upgrade(connection: &mut Connection, file: &Path) -> Result<(), RegistryError> {
    let sqlite = |error| RegistryError::sqlite(file, error);
    connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
    let version: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(sqlite)?;
    let supported = MIGRATIONS.len();
    if version as usize > supported {
        return Err(RegistryError::newer(file, version, supported));
    }
    // A commit does not wait for the disk, because other processes would wait with it;
    // `Registry::sync` does, outside the lock. SQLite checks references only on request.
    connection
        .execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")
        .map_err(sqlite)?;
    if (version as usize) < supported {
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(sqlite)?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(sqlite)?;
        for migration in &MIGRATIONS[version as usize..] {
            transaction.execute_batch(migration).map_err(sqlite)?;
        }
        transaction
            .pragma_update(None, "user_version", supported as u32)
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}
