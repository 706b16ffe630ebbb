//! An instance as the registry records it, for commands that inspect or stop it. They also work if
//! the manifest is invalid or the whole checkout is deleted. Nothing is registered or written.

use std::path::{Path, PathBuf};

use portway_project::suggest::suggestion;
use portway_registry::CheckoutState;

use super::connection::Supervised;
use crate::dirs;
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::{LoadedProject, no_such_service};
use crate::registry::RegistryReader;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// An instance that may be running, whether its manifest can be used or not.
pub(crate) struct Running {
    registry: RegistryReader,
    id: String,
    /// The services of the manifest or, without one, those of the supervisor.
    pub(crate) services: Vec<String>,
}

impl Running {
    /// Opens the instance of `directory`. If its manifest cannot be used, reports a warning and
    /// opens the instance that is running there.
    pub(crate) fn open(
        directory: Option<&Path>,
        reporter: &dyn Reporter,
    ) -> Result<Self, CommandError> {
        match LoadedProject::load(directory, &Selection::default()) {
            Ok(loaded) => Ok(Self {
                services: loaded.project.plan.services.keys().cloned().collect(),
                id: loaded.project.checkout.id,
                registry: loaded.registry,
            }),
            Err(error) => match Self::find_running(directory) {
                Some(running) => {
                    reporter.warning(&format!(
                        "{}; using the instance that is already running in this directory",
                        error.text()
                    ));
                    Ok(running)
                }
                None => Err(error),
            },
        }
    }

    /// Finds the instance that is running in `directory` or in a directory above it.
    fn find_running(directory: Option<&Path>) -> Option<Self> {
        let directory = dirs::directory(directory).ok().or_else(|| {
            // The directory may be deleted.
            std::path::absolute(directory?).ok()
        })?;
        let mut registry = RegistryReader::open().ok()?;
        let instances = registry.instances().ok()?.into_iter();
        let around = instances.filter(|(one, _, state)| {
            *state == CheckoutState::Running && directory.starts_with(&one.dir)
        });
        let (instance, ..) = around.max_by_key(|(one, ..)| one.dir.components().count())?;
        let mut running = Self::new(registry, instance.id);
        let status = runtime().ok()?.block_on(running.client().status());
        let services = status.into_iter().flat_map(|status| status.services);
        running.services = services.map(|service| service.name).collect();
        Some(running)
    }

    /// Creates a reference to the instance with this id.
    pub(crate) fn new(registry: RegistryReader, id: String) -> Self {
        Self {
            registry,
            id,
            services: Vec::new(),
        }
    }

    /// Returns the instance's name, or its id if it is not registered.
    pub(crate) fn name(&mut self) -> Result<String, CommandError> {
        let instance = self.registry.instance(&self.id)?;
        Ok(instance.map_or_else(|| self.id.clone(), |instance| instance.name))
    }

    /// Returns an error if the instance has no service with this name.
    pub(crate) fn known(&self, name: &str) -> Result<(), CommandError> {
        if self.services.iter().any(|known| known == name) {
            return Ok(());
        }
        let known = self.services.iter().map(String::as_str);
        Err(no_such_service(name).hint(suggestion(name, known)))
    }
}

impl Supervised for Running {
    fn dir(&self) -> PathBuf {
        self.registry.instance_dir(&self.id)
    }

    fn is_supervised(&mut self) -> Result<bool, CommandError> {
        self.registry.has_supervisor(&self.id)
    }
}
