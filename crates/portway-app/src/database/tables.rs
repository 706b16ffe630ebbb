//! Whether a database has tables: asks the server in a container with the client and the credentials in it, or
//! reads a file of SQLite. An answer that is not clear is an error.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use portway_project::database::Engine;
use portway_supervisor::program::{self, Answer};
use rusqlite::{Connection, OpenFlags};

/// How long a server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Maximum size of its answer, in bytes.
const MAX_OUTPUT: u64 = 64 << 10;

/// How long to wait for a program that is writing to a file of SQLite.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The last line of a complete answer.
const END: &str = "checked";

/// Counts the tables of each database of a PostgreSQL server, without those of extensions. A database that the
/// application creates may have another name than that of the container's environment.
const POSTGRES: &str = r#"
export PGUSER="${POSTGRES_USER:-${POSTGRESQL_USERNAME:-postgres}}"
export PGPASSWORD="${POSTGRES_PASSWORD:-${POSTGRESQL_PASSWORD:-}}" PGCONNECT_TIMEOUT=10
for file in "$POSTGRES_PASSWORD_FILE" "$POSTGRESQL_PASSWORD_FILE"; do
  if [ -r "$file" ]; then PGPASSWORD=$(cat "$file"); fi
done
unset PGHOST PGPORT PGDATABASE PGOPTIONS
ask() { psql -X -q -A -t -w -v ON_ERROR_STOP=1 -d "$1" -c "$2" </dev/null; }
if ! all=$(ask postgres "$1" 2>/dev/null); then
  export PGHOST=127.0.0.1
  all=$(ask postgres "$1") || exit 1
fi
printf '%s\n' "$all" | while IFS= read -r database; do
  [ -n "$database" ] || continue
  ask "$database" "$2" || exit 1
done || exit 1
echo checked
"#;

const POSTGRES_DATABASES: &str =
    "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate";

const POSTGRES_TABLES: &str = "SELECT count(*) FROM pg_class c JOIN pg_namespace n \
     ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'f', 'm') \
     AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
     AND d.objid = c.oid AND d.deptype = 'e')";

/// Counts the tables of a MySQL or MariaDB server that its user can see.
const MYSQL: &str = r#"
client=$(command -v mariadb || command -v mysql) || { echo "the container has no client" >&2; exit 1; }
root=${MYSQL_ROOT_PASSWORD:-${MARIADB_ROOT_PASSWORD:-}}
for file in "$MYSQL_ROOT_PASSWORD_FILE" "$MARIADB_ROOT_PASSWORD_FILE"; do
  if [ -r "$file" ]; then root=$(cat "$file"); fi
done
user=${MYSQL_USER:-${MARIADB_USER:-root}}
password=${MYSQL_PASSWORD:-${MARIADB_PASSWORD:-}}
for file in "$MYSQL_PASSWORD_FILE" "$MARIADB_PASSWORD_FILE"; do
  if [ -r "$file" ]; then password=$(cat "$file"); fi
done
ask() { MYSQL_PWD="$3" "$client" -h "$1" -u "$2" -N -B --connect-timeout=10 -e "$4" </dev/null; }
for host in localhost 127.0.0.1; do
  if ask "$host" root "$root" "$1" 2>/dev/null || ask "$host" "$user" "$password" "$1" 2>/dev/null; then
    echo checked
    exit 0
  fi
done
ask 127.0.0.1 "$user" "$password" "$1"
exit 1
"#;

const MYSQL_TABLES: &str = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema \
     NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')";

/// Returns whether a database in the container with this name has tables.
///
/// # Errors
/// Why the answer is not known, as the end of a sentence.
pub(super) fn in_container(client: &str, name: &str, engine: Engine) -> Result<bool, String> {
    let mut command = Command::new(client);
    command.args(["exec", name, "sh", "-c"]);
    match engine {
        Engine::Postgres => command.args([POSTGRES, "sh", POSTGRES_DATABASES, POSTGRES_TABLES]),
        Engine::Mysql => command.args([MYSQL, "sh", MYSQL_TABLES]),
        Engine::Sqlite => return Err("it is a file".into()),
    };
    match program::ask(command, TIMEOUT, MAX_OUTPUT) {
        Answer::Success(text) => counted(&String::from_utf8_lossy(&text)),
        Answer::Failure(text) => {
            let line = text.lines().rfind(|line| !line.trim().is_empty());
            Err(line.unwrap_or("its client failed").trim().to_owned())
        }
        Answer::Timeout => Err(format!("it did not answer in {} s", TIMEOUT.as_secs())),
    }
}

/// Reads an answer: a number of tables per line, and the last line.
fn counted(text: &str) -> Result<bool, String> {
    let unclear = || "its answer is not clear".to_owned();
    let counts = text.trim_end().strip_suffix(END).ok_or_else(unclear)?;
    let counts: Vec<u64> = counts
        .lines()
        .map(|line| line.trim().parse().map_err(|_| unclear()))
        .collect::<Result<_, _>>()?;
    match counts.is_empty() {
        true => Err(unclear()),
        false => Ok(counts.iter().any(|count| *count > 0)),
    }
}

/// Returns whether a file of SQLite has tables. A file that does not exist has none.
///
/// # Errors
/// Why the answer is not known, as the end of a sentence.
pub(super) fn in_file(file: &Path) -> Result<bool, String> {
    match file.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // The target of a link may be on a disk that is not mounted.
            return match file.symlink_metadata() {
                Ok(_) => Err("it is a link to a file that does not exist".into()),
                Err(_) => Ok(false),
            };
        }
        Err(error) => return Err(error.to_string()),
        Ok(metadata) if !metadata.is_file() => return Err("it is not a regular file".into()),
        Ok(metadata) if metadata.len() == 0 => return Ok(false),
        Ok(_) => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let count = || -> rusqlite::Result<bool> {
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\')",
            [],
            |row| row.get(0),
        )
    };
    count().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_a_complete_answer_is_clear() {
        assert_eq!(counted("0\n0\nchecked\n"), Ok(false));
        assert_eq!(counted("0\n7\nchecked\n"), Ok(true));
        for text in [
            "",
            "0\n",
            "checked\n",
            "x\nchecked\n",
            "0\nchecked\n0\n",
            "-1\nchecked",
        ] {
            assert!(counted(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_is_empty_if_it_has_no_tables() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("dev.db");
        assert_eq!(in_file(&file), Ok(false));
        fs::write(&file, "").unwrap();
        assert_eq!(in_file(&file), Ok(false));
        let connection = Connection::open(&file).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = wal; PRAGMA user_version = 1")
            .unwrap();
        assert_eq!(in_file(&file), Ok(false));
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        assert_eq!(in_file(&file), Ok(true));
        fs::write(
            temp.path().join("text.db"),
            "this is no database, but long enough to be read",
        )
        .unwrap();
        assert!(in_file(&temp.path().join("text.db")).is_err());
        assert!(in_file(temp.path()).is_err());
    }
}
