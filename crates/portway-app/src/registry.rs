//! Read access to the registry. Nothing is created, registered or changed.

use std::path::PathBuf;

use portway_registry::{CheckoutState, Instance, Lease, Registry, SqliteRegistry};

use crate::dirs;
use crate::error::CommandError;

/// A registered instance with its leases.
pub(crate) type Entry = (Instance, Vec<Lease>, CheckoutState);

/// Reads the registry of this user, which may not exist yet.
pub(crate) struct RegistryReader {
    state_dir: PathBuf,
    registry: Option<SqliteRegistry>,
}

impl RegistryReader {
    pub(crate) fn open() -> Result<Self, CommandError> {
        let state_dir = dirs::state_dir()?;
        let registry = SqliteRegistry::open_existing(&state_dir)?;
        Ok(Self {
            state_dir,
            registry,
        })
    }

    /// Returns the registry, which another command may have created meanwhile.
    pub(crate) fn get(&mut self) -> Result<Option<&mut SqliteRegistry>, CommandError> {
        if self.registry.is_none() {
            self.registry = SqliteRegistry::open_existing(&self.state_dir)?;
        }
        Ok(self.registry.as_mut())
    }

    /// Returns the record of one instance, if it is registered.
    pub(crate) fn instance(&mut self, id: &str) -> Result<Option<Instance>, CommandError> {
        match self.get()? {
            Some(registry) => Ok(registry.instance(id)?),
            None => Ok(None),
        }
    }

    /// Returns all registered instances.
    pub(crate) fn instances(&mut self) -> Result<Vec<Entry>, CommandError> {
        match self.get()? {
            Some(registry) => Ok(registry.instances()?),
            None => Ok(Vec::new()),
        }
    }

    /// Returns the leases of one instance.
    pub(crate) fn leases(&mut self, id: &str) -> Result<Vec<Lease>, CommandError> {
        match self.get()? {
            Some(registry) => Ok(registry.leases(id)?),
            None => Ok(Vec::new()),
        }
    }

    /// Returns whether an instance has a supervisor.
    pub(crate) fn has_supervisor(&mut self, id: &str) -> Result<bool, CommandError> {
        match self.get()? {
            Some(registry) => Ok(registry.has_supervisor(id)?),
            None => Ok(false),
        }
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
            None => Ok(SqliteRegistry::open(&self.state_dir)?),
        }
    }
}
