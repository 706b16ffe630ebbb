//! An instance as the registry knows it, for the verbs that look at what runs or stop it. They must
//! work when its manifest has been broken, moved away, or deleted with the whole checkout.

use std::path::{Path, PathBuf};

use portway_project::suggest::suggestion;
use portway_registry::{CheckoutState, Instance, Registry, SqliteRegistry};

use super::connection::Supervised;
use crate::dirs;
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::{Project, no_such_service};
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// An instance, whatever has become of its manifest.
pub(crate) struct Running {
    registry: SqliteRegistry,
    pub(crate) instance: Instance,
    /// The names of its services: the manifest's or, without one, those that its supervisor has.
    pub(crate) services: Vec<String>,
}

impl Running {
    /// The instance of `directory`. Where its manifest cannot be used, the one that runs there is
    /// taken, with a warning.
    pub(crate) fn open(
        directory: Option<&Path>,
        reporter: &dyn Reporter,
    ) -> Result<Self, CommandError> {
        match Project::open(directory, &Selection::default()) {
            Ok(project) => Ok(Self {
                services: project.plan.services.keys().cloned().collect(),
                registry: project.registry,
                instance: project.instance,
            }),
            Err(error) => match Self::around(directory) {
                Some(running) => {
                    let place = error.info.place.as_deref().unwrap_or_default();
                    let colon = if place.is_empty() { "" } else { ": " };
                    reporter.warning(&format!(
                        "{place}{colon}{}; going by what runs here",
                        error.info.message
                    ));
                    Ok(running)
                }
                None => Err(error),
            },
        }
    }

    /// The instance that runs in `directory` or around it.
    fn around(directory: Option<&Path>) -> Option<Self> {
        let directory = dirs::directory(directory).ok().or_else(|| {
            // A checkout that is gone can be named all the same.
            std::path::absolute(directory?).ok()
        })?;
        let state = dirs::state_dir().ok()?;
        if !SqliteRegistry::exists(&state) {
            return None;
        }
        let mut registry = SqliteRegistry::open(&state).ok()?;
        let instances = registry.instances().ok()?.into_iter();
        let around = instances.filter(|(one, _, liveness)| {
            *liveness == CheckoutState::Running && directory.starts_with(&one.dir)
        });
        let (instance, ..) = around.max_by_key(|(one, ..)| one.dir.components().count())?;
        let mut running = Self::of(registry, instance);
        let status = runtime().ok()?.block_on(running.client().status());
        let services = status.into_iter().flat_map(|status| status.services);
        running.services = services.map(|service| service.name).collect();
        Some(running)
    }

    /// An instance of the registry.
    pub(crate) fn of(registry: SqliteRegistry, instance: Instance) -> Self {
        Self {
            registry,
            instance,
            services: Vec::new(),
        }
    }

    /// Refuses a name that is none of its services.
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
        self.registry.instance_dir(&self.instance.id)
    }

    fn is_supervised(&mut self) -> Result<bool, CommandError> {
        Ok(self.registry.has_supervisor(&self.instance.id)?)
    }
}
