//! Removes the leases of deleted checkouts and stops the leftover processes of instances. Never stops
//! a running instance.

use std::collections::BTreeSet;
use std::time::Duration;

use portway_api::PruneReport;
use portway_registry::{CheckoutState, Instance, Lease, Registry};
use portway_supervisor::process::{Process, ProcessTree, descendants};
use portway_supervisor::remnants;

use crate::error::CommandError;
use crate::free::stop;
use crate::inspect;
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
        let pruned = PruneReport {
            leases: entries(&removed),
            processes: leftovers
                .iter()
                .map(|(_, leftover)| leftover.clone())
                .collect(),
            running,
            ended: false,
        };
        Ok(Self {
            pruned,
            leftovers: leftovers.into_iter().map(|(process, _)| process).collect(),
        })
    }

    /// Returns whether there are processes to stop.
    pub fn has_processes(&self) -> bool {
        !self.leftovers.is_empty()
    }

    /// Stops the leftover processes. Running instances are not affected, even if a leftover process
    /// started them.
    ///
    /// # Errors
    /// When a process cannot be stopped.
    pub fn stop_processes(self) -> Result<PruneReport, CommandError> {
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
        pruned.ended = true;
        Ok(pruned)
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
