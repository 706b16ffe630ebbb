//! The registry as one SQLite file.

mod allocate;
mod fingerprint;
mod instances;
mod operations;
mod prepared;
mod rows;
mod schema;
mod written;

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

pub use fingerprint::Fingerprint;
use fingerprint::{FILE_NAME, LOCK_FILE_NAME};
use instances::checkout_state;

use crate::error::RegistryError;
use crate::lock::{self, InstanceLock};
use crate::private_file::refuse_link;

/// The first SQLite release without a bug that can lose a commit if several processes write
/// (3.51.3).
const MIN_SQLITE_VERSION: i32 = 3_051_003;

/// The registry in a state directory, usually `$XDG_STATE_HOME/portway`.
#[derive(Debug)]
pub struct SqliteRegistry {
    state_dir: PathBuf,
    file: PathBuf,
    connection: Connection,
    /// The files that are open.
    fingerprint: Fingerprint,
    lock: File,
    /// Whether this process committed something that a power failure may still lose.
    needs_sync: bool,
}

impl SqliteRegistry {
    /// Returns whether `state_dir` contains a registry, even one that cannot be used. Creates
    /// nothing.
    pub fn exists(state_dir: &Path) -> bool {
        let file = state_dir.join(FILE_NAME).symlink_metadata();
        file.is_ok() || state_dir.symlink_metadata().is_ok_and(|dir| !dir.is_dir())
    }

    /// Opens the registry in `state_dir`; creates both if they do not exist.
    ///
    /// # Errors
    /// Fails if the directory or the file cannot be used, and if a newer version of Portway wrote
    /// the file.
    ///
    /// # Panics
    /// If Portway was built with an SQLite that can lose commits.
    pub fn open(state_dir: &Path) -> Result<Self, RegistryError> {
        lock::create_private_dir(state_dir)
            .map_err(|error| RegistryError::io(&state_dir.join(FILE_NAME), error))?;
        Self::connect(state_dir, OpenFlags::default())
    }

    fn connect(state_dir: &Path, flags: OpenFlags) -> Result<Self, RegistryError> {
        let file = state_dir.join(FILE_NAME);
        let io = |error| RegistryError::io(&file, error);
        assert!(
            rusqlite::version_number() >= MIN_SQLITE_VERSION,
            "built with an SQLite that can lose commits"
        );
        let lock_file = state_dir.join(LOCK_FILE_NAME);
        refuse_link(&file).map_err(io)?;
        refuse_link(&lock_file).map_err(|error| RegistryError::io(&lock_file, error))?;
        let lock = lock::open_lock(&lock_file, true).map_err(io)?;
        lock::lock_exclusive(&lock, &lock_file).map_err(io)?;
        let connection = Connection::open_with_flags(&file, flags)
            .map_err(|error| RegistryError::sqlite(&file, error))?;
        let mut registry = Self {
            state_dir: state_dir.to_owned(),
            file: file.clone(),
            connection,
            fingerprint: Fingerprint::default(),
            lock,
            needs_sync: false,
        };
        let upgraded = schema::upgrade(&mut registry.connection, &file);
        registry.unlock();
        upgraded?;
        registry.fingerprint = Fingerprint::read(state_dir);
        Ok(registry)
    }

    /// Opens the registry in `state_dir` for reading; `None` if it does not exist. Creates nothing,
    /// and writes nothing except to upgrade a registry of an older version. Operations that write
    /// fail until [`Self::allow_writes`].
    ///
    /// # Errors
    /// Fails if the directory or the file cannot be used, and if a newer version of Portway wrote
    /// the file.
    pub fn open_existing(state_dir: &Path) -> Result<Option<Self>, RegistryError> {
        if !Self::exists(state_dir) {
            return Ok(None);
        }
        // A read-only connection could not remove SQLite's log again when it is closed.
        let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_CREATE;
        let registry = Self::connect(state_dir, flags)?;
        registry.set_query_only(true)?;
        Ok(Some(registry))
    }

    /// Permits operations that write on a registry from [`Self::open_existing`].
    ///
    /// # Errors
    /// Fails if the directory cannot be restricted to its owner.
    pub fn allow_writes(&mut self) -> Result<(), RegistryError> {
        lock::create_private_dir(&self.state_dir)
            .map_err(|error| RegistryError::io(&self.file, error))?;
        self.set_query_only(false)
    }

    fn set_query_only(&self, is_query_only: bool) -> Result<(), RegistryError> {
        self.connection
            .pragma_update(None, "query_only", is_query_only)
            .map_err(|error| RegistryError::sqlite(&self.file, error))
    }

    /// Opens the registry again if its files were deleted or replaced since it was opened.
    ///
    /// # Errors
    /// Fails like [`Self::open`].
    pub fn refresh(&mut self) -> Result<(), RegistryError> {
        if !Fingerprint::read(&self.state_dir).has_same_files(&self.fingerprint) {
            *self = Self::open(&self.state_dir.clone())?;
        }
        Ok(())
    }

    /// Returns the directory of one instance: locks, control socket, logs.
    pub fn instance_dir(&self, id: &str) -> PathBuf {
        lock::instance_dir(&self.state_dir, id)
    }

    /// Locks an instance as its supervisor; `None` if it already has one.
    ///
    /// # Errors
    /// Fails if the lock file cannot be created.
    pub fn lock_as_supervisor(&mut self, id: &str) -> Result<Option<InstanceLock>, RegistryError> {
        let dir = self.instance_dir(id);
        self.locked(|_| {
            lock::lock_as_supervisor(&dir).map_err(|error| RegistryError::io(&dir, error))
        })
    }

    /// Keeps the instance's leases live while the lock is held, without a supervisor.
    ///
    /// # Errors
    /// Fails if the lock file cannot be created.
    pub fn lock_as_user(&mut self, id: &str) -> Result<InstanceLock, RegistryError> {
        let dir = self.instance_dir(id);
        self.locked(|_| lock::lock_as_user(&dir).map_err(|error| RegistryError::io(&dir, error)))
    }

    /// Runs `work` while this process holds the registry's lock.
    fn locked<T, E: From<RegistryError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let lock_file = self.state_dir.join(LOCK_FILE_NAME);
        lock::lock_exclusive(&self.lock, &lock_file)
            .map_err(|error| RegistryError::io(&self.file, error))?;
        let result = work(self);
        self.unlock();
        result
    }

    fn unlock(&self) {
        // This cannot fail for a held lock. If it did, the kernel would release the lock at exit.
        let _ = self.lock.unlock();
    }

    /// Runs `work` in one transaction under the lock.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, RegistryError> {
        self.locked(|registry| {
            let run = || {
                let transaction = registry
                    .connection
                    .transaction_with_behavior(TransactionBehavior::Immediate)?;
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            };
            let value = run().map_err(|error| RegistryError::sqlite(&registry.file, error))?;
            registry.needs_sync = true;
            Ok(value)
        })
    }

    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, RegistryError> {
        work(&self.connection).map_err(|error| RegistryError::sqlite(&self.file, error))
    }

    /// Changes one record of an instance.
    fn update_instance(
        &mut self,
        sql: &str,
        instance: &str,
        value: Option<&str>,
    ) -> Result<(), RegistryError> {
        self.write(|transaction| transaction.execute(sql, params![instance, value]).map(drop))
    }
}

#[cfg(test)]
mod tests;
