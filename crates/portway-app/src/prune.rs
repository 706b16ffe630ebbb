//! Removes the leases of deleted checkouts and stops leftover processes and containers of instances. Never stops
//! a running instance.

mod databases;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use portway_api::{ErrorCode, PruneReport, StaleContainer};
use portway_registry::{CheckoutState, Instance, Lease, Registry};
use portway_supervisor::containers::{self, Container, Containers};
use portway_supervisor::process::{Process, ProcessTree, descendants};
use portway_supervisor::remnants;

use databases::StaleDatabases;

use crate::error::CommandError;
use crate::free::stop;
use crate::inspect;
use crate::instance::containers::{names, not_checked};
use crate::instance::locate::is_supervised;
use crate::instance::remnants::stuck_error;
use crate::leases::entry;
use crate::registry::RegistryReader;

/// How long a leftover process may take to exit before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The removed leases, and the processes that can be stopped.
pub struct Prune {
    /// The report so far.
    pub pruned: PruneReport,
    /// The leftover processes.
    leftovers: Vec<Process>,
    /// The leftover containers.
    containers: Vec<Container>,
    /// The container engines that did not respond.
    silent_engines: Vec<&'static str>,
    databases: StaleDatabases,
}

impl Prune {
    /// Removes the leases of deleted directories, unless `dry_run`, and finds leftover processes.
    ///
    /// # Errors
    /// When the registry cannot be used or the processes cannot be read.
    pub fn start(dry_run: bool) -> Result<Self, CommandError> {
        let mut registry = RegistryReader::open()?;
        // Read before pruning, because the registry names the instances of the processes.
        let leftovers = inspect::leftovers()?;
        let containers = leftover_containers(&registry);
        let running = registry
            .instances()?
            .into_iter()
            .filter(|(instance, _, liveness)| {
                *liveness == CheckoutState::Running && instance.is_deleted()
            })
            .map(|(instance, ..)| instance.dir.display().to_string())
            .collect();
        let removed = if dry_run {
            let all = registry.instances()?.into_iter();
            all.filter(|(.., liveness)| *liveness == CheckoutState::Missing)
                .map(|(instance, leases, _)| (instance, leases))
                .collect()
        } else {
            remove(registry)?
        };
        // A deleted checkout is no longer in the registry now.
        let databases = StaleDatabases::find()?;
        let pruned = PruneReport {
            databases: databases.list(),
            leases: entries(&removed),
            processes: leftovers
                .iter()
                .map(|(_, leftover)| leftover.clone())
                .collect(),
            containers: containers.found.iter().map(stale).collect(),
            running,
            ended: false,
        };
        Ok(Self {
            pruned,
            containers: containers.found,
            silent_engines: containers.silent,
            databases,
            leftovers: leftovers.into_iter().map(|(process, _)| process).collect(),
        })
    }

    /// Drops the databases of deleted checkouts and records in the report what was done. A database that
    /// cannot be dropped has a problem there.
    pub fn drop_databases(&mut self) {
        self.pruned.databases = std::mem::take(&mut self.databases).drop_all();
    }

    /// Returns whether there are processes or containers to stop.
    pub fn has_leftovers(&self) -> bool {
        !self.leftovers.is_empty() || !self.containers.is_empty()
    }

    /// Returns what could not be checked.
    pub fn warnings(&self) -> Vec<String> {
        let engines = self.silent_engines.iter();
        engines.map(|engine| not_checked(engine)).collect()
    }

    /// Stops the leftover processes and removes the leftover containers. Running instances are not
    /// affected, even if a leftover process started them.
    ///
    /// # Errors
    /// When a process cannot be stopped or a container cannot be removed.
    pub fn stop_leftovers(self) -> Result<PruneReport, CommandError> {
        let mut pruned = self.pruned;
        let registry = RegistryReader::open()?;
        let ids: BTreeSet<&String> = pruned.processes.iter().map(|left| &left.id).collect();
        for id in ids {
            // One may have been started meanwhile.
            let dir = registry.instance_dir(id);
            if !portway_registry::has_supervisor(&dir) {
                let stuck = remnants::kill_leftovers(&dir);
                if !stuck.is_empty() {
                    return Err(stuck_error(&stuck));
                }
            }
        }
        let running = inspect::RunningInstances::read()?;
        let trees: Vec<ProcessTree> = self
            .leftovers
            .into_iter()
            .map(|process| ProcessTree {
                descendants: running.without(descendants(process.id.pid)),
                unrelated: Vec::new(),
                root: process,
                started_by: Vec::new(),
            })
            .collect();
        stop::stop_trees(&trees, STOP_TIMEOUT)?;
        let mut containers = self.containers;
        // One may have been started meanwhile.
        containers.retain(|container| !is_supervised(&container.mark.dir));
        let left = containers::remove(containers);
        if !left.is_empty() {
            let message = format!("cannot remove {}", names(&left));
            return Err(CommandError::new(ErrorCode::Failed, message)
                .hint("remove it with the container engine: `docker rm --force NAME`"));
        }
        pruned.ended = true;
        Ok(pruned)
    }
}

/// Returns the containers of instances that are not running.
fn leftover_containers(registry: &RegistryReader) -> Containers {
    let dirs = registry.instance_ids().into_iter();
    let dirs: Vec<PathBuf> = dirs
        .map(|id| registry.instance_dir(&id))
        .filter(|dir| !is_supervised(dir))
        .collect();
    let mut containers = containers::list(&dirs, containers::QUERY_TIMEOUT);
    // One may have been started meanwhile.
    containers
        .found
        .retain(|container| !is_supervised(&container.mark.dir));
    containers
}

fn stale(container: &Container) -> StaleContainer {
    StaleContainer {
        container: container.name.clone(),
        id: container.mark.instance_id().to_owned(),
        service: container.mark.service.clone(),
    }
}

/// Removes the records of deleted directories. Does nothing without a registry.
fn remove(mut registry: RegistryReader) -> Result<Vec<(Instance, Vec<Lease>)>, CommandError> {
    match registry.get()? {
        Some(registry) => {
            registry.allow_writes()?;
            Ok(registry.prune()?)
        }
        None => Ok(Vec::new()),
    }
}

fn entries(removed: &[(Instance, Vec<Lease>)]) -> Vec<portway_api::LeaseEntry> {
    removed
        .iter()
        .flat_map(|(instance, leases)| {
            leases
                .iter()
                .map(|lease| entry(instance, lease, CheckoutState::Missing))
        })
        .collect()
}
