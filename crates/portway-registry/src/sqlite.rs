//! The registry as one SQLite file.

mod rows;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::choose::{self, Allotted, Request};
use crate::error::{AllocateError, RegistryError};
use crate::lock::{self, InstanceLock};
use crate::{Instance, Lease, Liveness, Millis, Newcomer, Registry};
use rows::{DIRECTORY, INSTANCE, directories, directory, instance, leases, list, record};

/// Each step brings the schema from its index to the next version (`PRAGMA user_version`).
const MIGRATIONS: [&str; 2] = [
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
];

/// The first SQLite release without the bug that can lose a commit of one of several writers.
const SQLITE_WITHOUT_WAL_RESET_BUG: i32 = 3_051_003;

/// How many contents of `.ports.json` files are remembered, to tell a copy from a person's hand.
const WRITTEN_KEPT: u32 = 2000;

/// The registry in a state directory, usually `$XDG_STATE_HOME/portway`.
#[derive(Debug)]
pub struct SqliteRegistry {
    state: PathBuf,
    file: PathBuf,
    connection: Connection,
    lock: File,
    /// Whether this process committed something that a power cut may still take.
    unsettled: bool,
}

impl SqliteRegistry {
    /// Whether there is a registry in `state`, be it one that cannot be used; nothing is made by
    /// asking.
    pub fn exists(state: &Path) -> bool {
        let found = state.join("registry.db").symlink_metadata();
        found.is_ok() || state.symlink_metadata().is_ok_and(|state| !state.is_dir())
    }

    /// Opens the registry in `state`, making both when they are not there.
    ///
    /// # Errors
    /// When the directory or the file cannot be used, or the file is from a newer Portway.
    pub fn open(state: &Path) -> Result<Self, RegistryError> {
        let file = state.join("registry.db");
        let io = |error: &std::io::Error| RegistryError::io(&file, error);
        let sqlite = |error: &rusqlite::Error| RegistryError::sqlite(&file, error);
        assert!(
            rusqlite::version_number() >= SQLITE_WITHOUT_WAL_RESET_BUG,
            "built with an SQLite that can lose commits"
        );
        lock::private_dir(state).map_err(|error| io(&error))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(state.join("registry.lock"))
            .map_err(|error| io(&error))?;
        lock::exclusive(&lock).map_err(|error| io(&error))?;
        let connection = Connection::open(&file).map_err(|error| sqlite(&error))?;
        let mut registry = Self {
            state: state.to_owned(),
            file: file.clone(),
            connection,
            lock,
            unsettled: false,
        };
        let opened = registry.set_up();
        registry.unlock();
        opened?;
        Ok(registry)
    }

    /// The directory of everything that belongs to one instance: locks, control socket, logs.
    pub fn instance_dir(&self, id: &str) -> PathBuf {
        lock::instance_dir(&self.state, id)
    }

    /// Becomes the supervisor of an instance; `None` when it has one.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn supervise(&mut self, id: &str) -> Result<Option<InstanceLock>, RegistryError> {
        let dir = self.instance_dir(id);
        self.locked(|_| lock::supervise(&dir).map_err(|error| RegistryError::io(&dir, &error)))
    }

    /// Makes the instance's leases live for as long as the lock is kept, without being its
    /// supervisor.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn share(&mut self, id: &str) -> Result<InstanceLock, RegistryError> {
        let dir = self.instance_dir(id);
        self.locked(|_| lock::share(&dir).map_err(|error| RegistryError::io(&dir, &error)))
    }

    /// Whether the instance has a supervisor.
    ///
    /// # Errors
    /// When the registry cannot be locked.
    pub fn is_supervised(&mut self, id: &str) -> Result<bool, RegistryError> {
        let dir = self.instance_dir(id);
        self.locked(|_| Ok(lock::is_supervised(&dir)))
    }

    fn set_up(&mut self) -> Result<(), RegistryError> {
        let file = self.file.clone();
        let sqlite = |error: rusqlite::Error| RegistryError::sqlite(&file, &error);
        let connection = &mut self.connection;
        connection
            .busy_timeout(Duration::from_secs(5))
            .map_err(sqlite)?;
        let version: u32 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(sqlite)?;
        let known = MIGRATIONS.len();
        if version as usize > known {
            return Err(RegistryError::newer(&file, version, known));
        }
        // A commit waits for no disk: nobody else shall wait for it too. `settle` does, outside the
        // lock. SQLite checks references only when told so.
        connection
            .execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")
            .map_err(sqlite)?;
        if (version as usize) < known {
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
                .pragma_update(None, "user_version", known as u32)
                .map_err(sqlite)?;
            transaction.commit().map_err(sqlite)?;
        }
        Ok(())
    }

    /// Runs `work` while this process alone has the registry.
    fn locked<T, E: From<RegistryError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        lock::exclusive(&self.lock).map_err(|error| RegistryError::io(&self.file, &error))?;
        let result = work(self);
        self.unlock();
        result
    }

    fn unlock(&self) {
        // It cannot fail for a lock that is held; were it to, the end of the process lets go.
        let _ = self.lock.unlock();
    }

    /// One transaction under the lock.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, RegistryError> {
        self.locked(|registry| {
            let file = registry.file.clone();
            let run = || {
                let transaction = registry
                    .connection
                    .transaction_with_behavior(TransactionBehavior::Immediate)?;
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            };
            let value = run().map_err(|error| RegistryError::sqlite(&file, &error))?;
            registry.unsettled = true;
            Ok(value)
        })
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, RegistryError> {
        work(&self.connection).map_err(|error| RegistryError::sqlite(&self.file, &error))
    }
}

impl Registry for SqliteRegistry {
    fn enroll(&mut self, newcomer: &Newcomer, now: Millis) -> Result<Instance, RegistryError> {
        // Most commands find everything as it was, and need not write.
        let known = self.read(|connection| find(connection, &newcomer.id).optional())?;
        if let Some(known) = known.filter(|known| is_same(known, newcomer)) {
            return Ok(known);
        }
        let state = self.state.clone();
        self.write(|transaction| {
            let dir = newcomer.dir.as_os_str().as_encoded_bytes();
            // A checkout that was moved away and another that came in its place share a directory,
            // and with it the identity; only a foreign id under this directory is stale.
            transaction.execute(
                "DELETE FROM instances WHERE dir = ?1 AND id <> ?2",
                params![dir, newcomer.id],
            )?;
            let taken_by = |name: &str| {
                transaction
                    .query_row(
                        &format!("SELECT {INSTANCE} FROM instances WHERE name = ?1 AND id <> ?2"),
                        params![name, newcomer.id],
                        instance,
                    )
                    .optional()
            };
            let name = match taken_by(&newcomer.name)? {
                None => &newcomer.name,
                Some(other) if liveness(&state, &other.id, Some(&other.dir)) != Liveness::Gone => {
                    &newcomer.distinct_name
                }
                Some(gone) => {
                    // The name of a vanished checkout is free, and so are its ports.
                    transaction.execute("DELETE FROM instances WHERE id = ?1", [gone.id])?;
                    &newcomer.name
                }
            };
            transaction.execute(
                "INSERT INTO instances (id, dir, project, name, branch, main, last_used)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (id) DO UPDATE SET project = ?3, name = ?4, branch = ?5, main = ?6,
                     last_used = ?7",
                params![
                    newcomer.id,
                    dir,
                    newcomer.project,
                    name,
                    newcomer.branch,
                    newcomer.main,
                    now
                ],
            )?;
            find(transaction, &newcomer.id)
        })
    }

    fn set_options(&mut self, instance: &str, options: &[String]) -> Result<(), RegistryError> {
        let options = serde_json::to_string(options).unwrap_or_default();
        self.write(|transaction| {
            transaction
                .execute(
                    "UPDATE instances SET options = ?2 WHERE id = ?1",
                    params![instance, options],
                )
                .map(drop)
        })
    }

    fn set_gateway(&mut self, instance: &str, gateway: Option<&str>) -> Result<(), RegistryError> {
        self.write(|transaction| {
            transaction
                .execute(
                    "UPDATE instances SET gateway = ?2 WHERE id = ?1",
                    params![instance, gateway],
                )
                .map(drop)
        })
    }

    fn allocate(
        &mut self,
        request: &Request<'_>,
        hold: &mut dyn FnMut(u16, bool) -> Result<bool, String>,
        now: Millis,
    ) -> Result<Vec<Allotted>, AllocateError> {
        self.locked(|registry| {
            let file = registry.file.clone();
            let sqlite = |error: rusqlite::Error| RegistryError::sqlite(&file, &error);
            let state = registry.state.clone();
            let own = lock::instance_dir(&state, request.instance);
            if !request.supervises && lock::is_supervised(&own) {
                return Err(AllocateError::Supervised);
            }
            let transaction = registry
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(sqlite)?;
            let leases = leases(&transaction).map_err(sqlite)?;
            // Asked of each that stands in the way: there may be thousands that do not.
            let mut find_dir = transaction.prepare(DIRECTORY).map_err(sqlite)?;
            let mut known: HashMap<String, Liveness> = HashMap::new();
            let mut unreadable = None;
            let mut liveness = |id: &str| {
                *known
                    .entry(id.to_owned())
                    .or_insert_with(|| match directory(&mut find_dir, id) {
                        Ok(dir) => liveness(&state, id, dir.as_ref()),
                        Err(error) => {
                            unreadable.get_or_insert(error);
                            Liveness::Live
                        }
                    })
            };
            let given = choose::choose(request, &leases, &mut liveness, hold);
            if let Some(error) = unreadable {
                return Err(sqlite(error).into());
            }
            let given = given?;
            drop(find_dir);
            let is_news = record(&transaction, request, &given, &leases, now).map_err(sqlite)?;
            transaction.commit().map_err(sqlite)?;
            registry.unsettled |= is_news;
            Ok(given)
        })
    }

    fn leases(&mut self, instance: &str) -> Result<Vec<Lease>, RegistryError> {
        let mut leases = self.read(leases)?;
        leases.retain(|lease| lease.instance == instance);
        Ok(leases)
    }

    fn instances(&mut self) -> Result<Vec<(Instance, Vec<Lease>, Liveness)>, RegistryError> {
        self.locked(|registry| {
            let state = registry.state.clone();
            let (instances, leases) = registry.read(|connection| {
                let mut statement = connection.prepare(&format!(
                    "SELECT {INSTANCE} FROM instances ORDER BY project, main DESC, name"
                ))?;
                let instances: Vec<Instance> = statement
                    .query_map([], instance)?
                    .collect::<Result<_, _>>()?;
                Ok((instances, leases(connection)?))
            })?;
            Ok(instances
                .into_iter()
                .map(|instance| {
                    let own = leases.iter().filter(|lease| lease.instance == instance.id);
                    let liveness = liveness(&state, &instance.id, Some(&instance.dir));
                    (instance.clone(), own.cloned().collect(), liveness)
                })
                .collect())
        })
    }

    fn forget(&mut self, ports: &[u16]) -> Result<Vec<(Instance, Lease, Liveness)>, RegistryError> {
        let state = self.state.clone();
        let found = self.write(|transaction| {
            let mut found = Vec::new();
            for lease in leases(transaction)? {
                if ports.contains(&lease.port) {
                    let owner = find(transaction, &lease.instance)?;
                    let liveness = liveness(&state, &owner.id, Some(&owner.dir));
                    found.push((owner, lease, liveness));
                }
            }
            if found
                .iter()
                .all(|(.., liveness)| *liveness != Liveness::Live)
            {
                for (_, lease, _) in &found {
                    transaction.execute("DELETE FROM leases WHERE port = ?1", [lease.port])?;
                }
            }
            Ok(found)
        })?;
        self.settle(false)?;
        Ok(found)
    }

    fn prune(&mut self) -> Result<Vec<(Instance, Vec<Lease>)>, RegistryError> {
        let gone: Vec<(Instance, Vec<Lease>)> = self
            .instances()?
            .into_iter()
            .filter(|(.., liveness)| *liveness == Liveness::Gone)
            .map(|(instance, leases, _)| (instance, leases))
            .collect();
        let state = self.state.clone();
        self.write(|transaction| {
            for (instance, _) in &gone {
                transaction.execute("DELETE FROM instances WHERE id = ?1", [&instance.id])?;
            }
            // Locks and logs of instances that nobody knows any more, these among them.
            let known = directories(transaction)?;
            for id in lock::instance_dirs(&state) {
                let dir = lock::instance_dir(&state, &id);
                if !known.contains_key(&id) && !lock::is_supervised(&dir) && !lock::is_used(&dir) {
                    let _ = std::fs::remove_dir_all(dir);
                }
            }
            Ok(())
        })?;
        self.settle(false)?;
        Ok(gone)
    }

    fn last_written(&mut self, instance: &str) -> Result<Option<String>, RegistryError> {
        self.read(|connection| {
            connection
                .query_row(
                    "SELECT written FROM instances WHERE id = ?1",
                    [instance],
                    |row| row.get(0),
                )
                .optional()
                .map(Option::flatten)
        })
    }

    fn was_written(&mut self, content: &str) -> Result<bool, RegistryError> {
        self.read(|connection| {
            connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM written WHERE content = ?1)",
                [content],
                |row| row.get(0),
            )
        })
    }

    fn record_written(
        &mut self,
        instance: &str,
        owned: &str,
        content: &str,
        now: Millis,
    ) -> Result<(), RegistryError> {
        if self.last_written(instance)?.as_deref() == Some(owned) {
            return Ok(());
        }
        self.write(|transaction| {
            transaction.execute(
                "UPDATE instances SET written = ?2 WHERE id = ?1",
                params![instance, owned],
            )?;
            transaction.execute(
                "INSERT INTO written (content, at) VALUES (?1, ?2)
                 ON CONFLICT (content) DO UPDATE SET at = ?2",
                params![content, now],
            )?;
            transaction.execute(
                "DELETE FROM written WHERE content IN
                 (SELECT content FROM written ORDER BY at DESC LIMIT -1 OFFSET ?1)",
                [WRITTEN_KEPT],
            )?;
            Ok(())
        })
    }

    fn settle(&mut self, others: bool) -> Result<(), RegistryError> {
        if !self.unsettled && !others {
            return Ok(());
        }
        // Outside the lock, so that those who come together wait together: the kernel brings all
        // their commits to the disk at once.
        // SQLite has no lock on this file that closing it here would drop.
        let log = self.state.join("registry.db-wal");
        match OpenOptions::new().write(true).open(&log) {
            Ok(open) => open
                .sync_data()
                .map_err(|error| RegistryError::io(&log, &error))?,
            // A file system on which SQLite can keep no log: there each commit waits itself.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(RegistryError::io(&log, &error)),
        }
        self.unsettled = false;
        Ok(())
    }

    fn prepared(
        &mut self,
        instance: &str,
        service: &str,
    ) -> Result<Option<(String, Vec<String>)>, RegistryError> {
        self.read(|connection| {
            connection
                .query_row(
                    "SELECT digest, outputs FROM prepared WHERE instance = ?1 AND service = ?2",
                    params![instance, service],
                    |row| Ok((row.get(0)?, list(row.get(1)?))),
                )
                .optional()
        })
    }

    fn record_prepared(
        &mut self,
        instance: &str,
        service: &str,
        digest: &str,
        outputs: &[String],
    ) -> Result<(), RegistryError> {
        let outputs = serde_json::to_string(outputs).unwrap_or_default();
        self.write(|transaction| {
            transaction
                .execute(
                    "INSERT INTO prepared (instance, service, digest, outputs)
                     VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (instance, service) DO UPDATE SET digest = ?3, outputs = ?4",
                    params![instance, service, digest, outputs],
                )
                .map(drop)
        })
    }
}

fn find(connection: &Connection, id: &str) -> rusqlite::Result<Instance> {
    connection.query_row(
        &format!("SELECT {INSTANCE} FROM instances WHERE id = ?1"),
        [id],
        instance,
    )
}

/// Whether a newcomer is known, under the name that it would like to have.
fn is_same(known: &Instance, newcomer: &Newcomer) -> bool {
    (
        &known.dir,
        &known.project,
        &known.name,
        &known.branch,
        known.main,
    ) == (
        &newcomer.dir,
        &newcomer.project,
        &newcomer.name,
        &newcomer.branch,
        newcomer.main,
    )
}

fn liveness(state: &Path, id: &str, dir: Option<&PathBuf>) -> Liveness {
    let own = lock::instance_dir(state, id);
    if lock::is_supervised(&own) || lock::is_used(&own) {
        Liveness::Live
    } else if dir.is_some_and(|dir| dir.exists()) {
        Liveness::Kept
    } else {
        Liveness::Gone
    }
}

#[cfg(test)]
mod tests;
