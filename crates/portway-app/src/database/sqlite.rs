//! SQLite: copies a file so that the copy is consistent although programs use the template.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use portway_api::ErrorCode;
use rusqlite::{Connection, OpenFlags};

use crate::error::CommandError;

/// How long to wait for a program that is writing to the template.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Copies the template to a new file. Returns how.
///
/// # Errors
/// When the template is no database, a program keeps it locked, or the new file exists.
pub(super) fn copy(template: &Path, to: &Path) -> Result<&'static str, CommandError> {
    let failed = |error: rusqlite::Error| {
        let message = format!("cannot read the database `{}`", template.display());
        CommandError::new(ErrorCode::Failed, message)
            .caused_by(error)
            .location(template)
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(template, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .map_err(failed)?;
    if mode.eq_ignore_ascii_case("wal") {
        // Committed pages may be in the log only.
        let path = to.to_string_lossy();
        connection
            .execute("VACUUM INTO ?1", [path.as_ref()])
            .map_err(failed)?;
        return Ok("copied it with `VACUUM INTO`");
    }
    // A writer cannot change the file as long as this connection reads it.
    connection.execute_batch("BEGIN").map_err(failed)?;
    connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))
        .map_err(failed)?;
    let copied = fs::copy(template, to);
    copied.map_err(|error| CommandError::file("copy", template, error))?;
    connection.execute_batch("COMMIT").map_err(failed)?;
    Ok("copied its file")
}

/// Gives a file its final name. Fails if that exists.
pub(super) fn publish(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Some file systems have no hard links.
        Err(_) if to.symlink_metadata().is_err() => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

/// Removes a database and the files that SQLite creates beside it.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut beside = file.as_os_str().to_owned();
        beside.push(suffix);
        // Usually, there is none.
        let _ = fs::remove_file(beside);
    }
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(file: &Path) -> i64 {
        let connection = Connection::open(file).unwrap();
        let count = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0));
        count.unwrap()
    }

    #[test]
    fn copies_are_complete_while_programs_use_the_template() {
        for mode in ["wal", "delete"] {
            let dir = tempfile::tempdir().unwrap();
            let template = dir.path().join("dev.db");
            let writer = Connection::open(&template).unwrap();
            writer
                .query_row(&format!("PRAGMA journal_mode = {mode}"), [], |_| Ok(()))
                .unwrap();
            writer
                .execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2);")
                .unwrap();
            if mode == "wal" {
                assert!(dir.path().join("dev.db-wal").metadata().unwrap().len() > 0);
            }
            let own = dir.path().join("own.db");
            let temporary = dir.path().join("own.db.new");
            copy(&template, &temporary).unwrap();
            publish(&temporary, &own).unwrap();
            assert!(!temporary.exists());
            assert_eq!(count(&own), 2, "{mode}");
            writer.execute_batch("INSERT INTO t VALUES (3)").unwrap();
            assert_eq!((count(&own), count(&template)), (2, 3), "{mode}");

            copy(&template, &temporary).unwrap();
            let error = publish(&temporary, &own).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
            remove(&own).unwrap();
            assert!(!own.exists());
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("dev.db");
        fs::write(&file, "hello world, this is no database at all").unwrap();
        let error = copy(&file, &dir.path().join("own.db")).unwrap_err();
        assert!(
            error.text().contains("file is not a database"),
            "{}",
            error.text()
        );
        assert!(!dir.path().join("own.db").exists());
    }
}
