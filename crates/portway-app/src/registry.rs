//! Read access to the registry. Nothing is created, registered or changed.

use std::path::{Path, PathBuf};

use portway_registry::{
    CheckoutState, Instance, Lease, Registry, RegistryError, RunningRecord, SqliteRegistry,
};

use crate::dirs;
use crate::error::CommandError;
use crate::instance::locate::is_supervised;
use crate::instance::response::report;

/// A registered instance with its leases.
pub(crate) type Entry = (Instance, Vec<Lease>, CheckoutState);

/// Reads the registry of this user, which may not exist yet. What is running is also known if the
/// registry cannot be used or lacks it.
pub(crate) struct RegistryReader {
    state_dir: PathBuf,
    registry: Option<SqliteRegistry>,
    /// Why the registry cannot be used. Reported by [`Self::get`].
    problem: Option<RegistryError>,
}

impl RegistryReader {
    pub(crate) fn open() -> Result<Self, CommandError> {
        let state_dir = dirs::state_dir()?;
        let (registry, problem) = match SqliteRegistry::open_existing(&state_dir) {
            Ok(registry) => (registry, None),
            Err(error) => (None, Some(error)),
        };
        Ok(Self {
            state_dir,
            registry,
            problem,
        })
    }

    /// Returns the registry, which another command may have created meanwhile.
    pub(crate) fn get(&mut self) -> Result<Option<&mut SqliteRegistry>, CommandError> {
        if let Some(problem) = self.problem.take() {
            return Err(problem.into());
        }
        if self.registry.is_none() {
            self.registry = SqliteRegistry::open_existing(&self.state_dir)?;
        }
        Ok(self.registry.as_mut())
    }

    /// Returns the record of one instance, if it is registered or running.
    pub(crate) fn instance(&mut self, id: &str) -> Result<Option<Instance>, CommandError> {
        let recorded = match self.get() {
            Ok(Some(registry)) => registry.instance(id).map_err(CommandError::from),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if let Ok(Some(_)) = recorded {
            return recorded;
        }
        match self.running(id) {
            Some(running) => Ok(Some(running.instance)),
            None => recorded,
        }
    }

    /// Returns the record of an instance that has a supervisor.
    fn running(&self, id: &str) -> Option<RunningRecord> {
        let dir = self.instance_dir(id);
        is_supervised(&dir).then(|| RunningRecord::read(&dir))?
    }

    /// Returns all registered and all running instances.
    ///
    /// # Errors
    /// When the registry cannot be used and no instance is running.
    pub(crate) fn instances(&mut self) -> Result<Vec<Entry>, CommandError> {
        let recorded = match self.get() {
            Ok(Some(registry)) => registry.instances().map_err(CommandError::from),
            Ok(None) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let is_new = |record: &RunningRecord| {
            let is_it = |(known, ..): &Entry| known.id == record.instance.id;
            !recorded.iter().flatten().any(is_it)
                && is_supervised(&self.instance_dir(&record.instance.id))
        };
        let running: Vec<Entry> = RunningRecord::read_all(&self.state_dir)
            .into_iter()
            .filter(is_new)
            .map(|record| (record.instance, Vec::new(), CheckoutState::Running))
            .collect();
        match recorded {
            Ok(mut all) => {
                all.extend(running);
                Ok(all)
            }
            Err(error) if running.is_empty() => Err(error),
            Err(error) => {
                report(&format!(
                    "{}; only running instances are known",
                    error.text()
                ));
                Ok(running)
            }
        }
    }

    /// Returns the directory of the registry.
    pub(crate) fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Returns the ids of all instances with a directory, registered or not.
    pub(crate) fn instance_ids(&self) -> Vec<String> {
        portway_registry::instance_ids(&self.state_dir)
    }

    /// Returns the directory of one instance: locks, control socket, logs.
    pub(crate) fn instance_dir(&self, id: &str) -> PathBuf {
        portway_registry::instance_dir(&self.state_dir, id)
    }

    /// Opens the registry for writing; creates it if it does not exist.
    pub(crate) fn into_writable(self) -> Result<SqliteRegistry, CommandError> {
        match self.registry {
            Some(mut registry) => {
                registry.allow_writes()?;
                Ok(registry)
            }
            // A registry that cannot be used is not created again.
            None => match SqliteRegistry::open_existing(&self.state_dir)? {
                Some(mut registry) => {
                    registry.allow_writes()?;
                    Ok(registry)
                }
                None => Ok(SqliteRegistry::open(&self.state_dir)?),
            },
        }
    }
}
