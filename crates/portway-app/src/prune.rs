//! Removes the leases of deleted checkouts and stops the leftover processes of instances.

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
use crate::instance::{Running, attach};
use crate::leases::entry;
use crate::registry::RegistryReader;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// How long a leftover process may take to exit before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The removed leases, and the processes that can be stopped.
pub struct Prune {
    /// The report so far.
    pub pruned: PruneReport,
    /// The leftover processes.
    leftovers: Vec<Process>,
    /// The running instances whose directory is deleted.
    orphaned: Vec<Instance>,
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
        let orphaned: Vec<Instance> = registry
            .instances()?
            .into_iter()
            .filter(|(instance, _, liveness)| {
                *liveness == CheckoutState::Running && !instance.dir.exists()
            })
            .map(|(instance, ..)| instance)
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
            running: orphaned
                .iter()
                .map(|instance| instance.dir.display().to_string())
                .collect(),
            ended: false,
        };
        Ok(Self {
            pruned,
            leftovers: leftovers.into_iter().map(|(process, _)| process).collect(),
            orphaned,
        })
    }

    /// Returns whether there are processes to stop.
    pub fn has_processes(&self) -> bool {
        !self.leftovers.is_empty() || !self.orphaned.is_empty()
    }

    /// Stops the leftover processes, and the instances whose directory is deleted.
    ///
    /// # Errors
    /// When a process or an instance cannot be stopped.
    pub fn stop_processes(self, reporter: &dyn Reporter) -> Result<PruneReport, CommandError> {
        let mut pruned = self.pruned;
        let mut registry = RegistryReader::open()?;
        let ids: BTreeSet<&String> = pruned.processes.iter().map(|left| &left.id).collect();
        for id in ids {
            // One may have been started meanwhile.
            if !registry.has_supervisor(id)? {
                let stuck = remnants::end(&registry.instance_dir(id));
                if !stuck.is_empty() {
                    return Err(stuck_error(&stuck));
                }
            }
        }
        let trees: Vec<ProcessTree> = self
            .leftovers
            .into_iter()
            .map(|process| ProcessTree {
                descendants: descendants(process.id.pid),
                unrelated: Vec::new(),
                root: process,
                started_by: Vec::new(),
            })
            .collect();
        stop::stop_trees(&trees, STOP_TIMEOUT)?;
        for instance in self.orphaned {
            let mut running = Running::new(RegistryReader::open()?, instance.id);
            runtime()?.block_on(attach::stop(&mut running, false, reporter))?;
        }
        // The stopped instances no longer own their leases.
        let removed = remove(RegistryReader::open()?)?;
        pruned.leases.extend(entries(&removed));
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
