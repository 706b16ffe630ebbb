//! An instance as the registry records it, for commands that inspect or stop it. They also work if
//! the manifest is invalid or the whole checkout is deleted. Nothing is registered or written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portway_api::InstanceStatus;
use portway_project::suggest::suggestion;
use portway_registry::{DirectoryId, RunningRecord};
use tokio::time::timeout;

use super::connection::Supervised;
use super::locate::{Located, is_supervised};
use crate::dirs;
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::{LoadedProject, no_such_service};
use crate::registry::RegistryReader;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// How long a supervisor may take to respond with the name of its instance.
const NAME_TIMEOUT: Duration = Duration::from_secs(1);

/// An instance that may be running, whether its manifest can be used or not.
pub(crate) struct Running {
    registry: RegistryReader,
    id: String,
    /// The instance, if it was found by its directory and is running.
    located: Option<Located>,
    /// The services of the manifest or, without one, those of the supervisor.
    pub(crate) services: Vec<String>,
    /// The main service, if the manifest or the supervisor names one.
    pub(crate) main: Option<String>,
}

impl Running {
    /// Opens the instance of `directory`. If its manifest cannot be used, reports a warning and
    /// opens the instance that is running there.
    pub(crate) fn open(
        directory: Option<&Path>,
        reporter: &dyn Reporter,
    ) -> Result<Self, CommandError> {
        match LoadedProject::load(directory, &Selection::default()) {
            Ok(loaded) => {
                let mut running = Self {
                    id: loaded.instance_id().to_owned(),
                    services: loaded.project.plan.services.keys().cloned().collect(),
                    main: loaded.project.plan.main.clone(),
                    located: loaded.running,
                    registry: loaded.registry,
                };
                // The project may have changed since it was started.
                if let Some(status) = running.running_status() {
                    for name in names(&status) {
                        if !running.services.contains(&name) {
                            running.services.push(name);
                        }
                    }
                    running.main = status.main;
                }
                Ok(running)
            }
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
    pub(crate) fn find_running(directory: Option<&Path>) -> Option<Self> {
        let registry = RegistryReader::open().ok()?;
        let directory = dirs::directory(directory)
            .ok()
            .or_else(|| dirs::missing_directory(directory))?;
        let records = RunningRecord::read_all(registry.state_dir());
        let running: Vec<RunningRecord> = records
            .into_iter()
            .filter(|record| is_supervised(&registry.instance_dir(&record.instance.id)))
            .collect();
        let record = around(&directory, &running, DirectoryId::read)?;
        let mut running = Self::new(registry, record.instance.id.clone());
        if let Some(status) = running.running_status() {
            running.services = names(&status).collect();
            running.main = status.main;
        }
        Some(running)
    }

    /// Returns the status of the instance; `None` if it is not running or does not respond in time.
    fn running_status(&self) -> Option<InstanceStatus> {
        if !self.is_supervised() {
            return None;
        }
        let client = self.client();
        let status = runtime().ok()?.block_on(async {
            // A supervisor that does not respond is reported by what follows.
            timeout(NAME_TIMEOUT, client.status()).await
        });
        status.ok()?.ok()
    }

    /// Creates a reference to the instance with this id.
    pub(crate) fn new(registry: RegistryReader, id: String) -> Self {
        Self {
            registry,
            id,
            located: None,
            services: Vec::new(),
            main: None,
        }
    }

    /// Returns the instance's name, or its id if neither a file nor its supervisor has the name.
    pub(crate) async fn name(&mut self) -> String {
        if let Some(record) = RunningRecord::read(&self.dir()) {
            return record.instance.name;
        }
        // The name does not matter enough to report a registry that cannot be used.
        if let Ok(Some(instance)) = self.registry.instance(&self.id) {
            return instance.name;
        }
        let status = timeout(NAME_TIMEOUT, self.client().status()).await;
        match status {
            Ok(Ok(status)) => status.name,
            _ => self.id.clone(),
        }
    }

    /// Describes the difference between the directory and the instance that is running, if any.
    pub(crate) fn difference(&self) -> Option<String> {
        self.located.as_ref()?.difference()
    }

    /// Returns an error if this process cannot reach the ports of the instance.
    pub(crate) fn check_network(&self) -> Result<(), CommandError> {
        self.located.as_ref().map_or(Ok(()), Located::check_network)
    }

    /// Reports that the directory of the instance was moved.
    ///
    /// # Errors
    /// When another directory has replaced it.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        self.located.as_ref().map_or(Ok(()), Located::check)
    }

    /// Returns an error if the instance could not start a service again, because its directory was moved or
    /// replaced.
    pub(crate) fn check_start(&self) -> Result<(), CommandError> {
        self.located.as_ref().map_or(Ok(()), Located::check_start)
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
}

/// Returns the names of the services of an instance.
fn names(status: &InstanceStatus) -> impl Iterator<Item = String> {
    status.services.iter().map(|service| service.name.clone())
}

/// Returns the instance that is running in `directory` or in the closest directory above it, by path or
/// by identity.
fn around<'a>(
    directory: &Path,
    running: &'a [RunningRecord],
    identity_of: impl Fn(&Path) -> Option<DirectoryId>,
) -> Option<&'a RunningRecord> {
    directory.ancestors().find_map(|above| {
        let identity = identity_of(above);
        let has_identity =
            |record: &&RunningRecord| identity.is_some() && record.instance.identity == identity;
        let by_identity = running.iter().find(has_identity);
        by_identity.or_else(|| running.iter().find(|one| one.instance.dir == above))
    })
}
