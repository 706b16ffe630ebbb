//! Removing what deleted checkouts and killed instances have left.

use std::time::Duration;

use portway_api::PruneReport;
use portway_registry::{CheckoutState, Instance, Lease, Registry};
use portway_supervisor::process::{Process, ProcessTree, descendants};

use crate::error::CommandError;
use crate::free::stop;
use crate::inspect;
use crate::instance::{Running, attach};
use crate::leases::entry;
use crate::registry::RegistryReader;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// How long a leftover process may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// What was removed, and which processes remain to be stopped.
pub struct Prune {
    /// The report so far.
    pub pruned: PruneReport,
    left: Vec<Process>,
    homeless: Vec<Instance>,
}

impl Prune {
    /// Removes the leases of deleted directories, unless `dry_run`, and finds leftover processes.
    ///
    /// # Errors
    /// When the registry cannot be used or the processes cannot be read.
    pub fn start(dry_run: bool) -> Result<Self, CommandError> {
        let mut registry = RegistryReader::open()?;
        // Processes first: the names of their instances are known only while the registry has them.
        let left = inspect::leftovers()?;
        let homeless: Vec<Instance> = registry
            .instances()?
            .into_iter()
            .filter(|(instance, _, liveness)| {
                *liveness == CheckoutState::Running && !instance.dir.exists()
            })
            .map(|(instance, ..)| instance)
            .collect();
        let gone = if dry_run {
            let all = registry.instances()?.into_iter();
            all.filter(|(.., liveness)| *liveness == CheckoutState::Missing)
                .map(|(instance, leases, _)| (instance, leases))
                .collect()
        } else {
            remove(registry)?
        };
        let pruned = PruneReport {
            leases: entries(&gone),
            processes: left.iter().map(|(_, leftover)| leftover.clone()).collect(),
            running: homeless
                .iter()
                .map(|instance| instance.dir.display().to_string())
                .collect(),
            ended: false,
        };
        Ok(Self {
            pruned,
            left: left.into_iter().map(|(process, _)| process).collect(),
            homeless,
        })
    }

    /// Whether there are processes to stop.
    pub fn has_processes(&self) -> bool {
        !self.left.is_empty() || !self.homeless.is_empty()
    }

    /// Stops the leftover processes, and the instances whose directory is gone.
    ///
    /// # Errors
    /// When one cannot be stopped.
    pub fn stop_processes(self, reporter: &dyn Reporter) -> Result<PruneReport, CommandError> {
        let mut pruned = self.pruned;
        let trees: Vec<ProcessTree> = self
            .left
            .into_iter()
            .map(|process| ProcessTree {
                descendants: descendants(process.id.pid),
                root: process,
                started_by: Vec::new(),
            })
            .collect();
        stop::end(&trees, GRACE)?;
        for instance in self.homeless {
            let mut running = Running::new(RegistryReader::open()?, instance.id);
            runtime()?.block_on(attach::stop(&mut running, false, reporter))?;
        }
        // Their leases have no owner any more.
        let gone = remove(RegistryReader::open()?)?;
        pruned.leases.extend(entries(&gone));
        pruned.ended = true;
        Ok(pruned)
    }
}

/// Removes the records of deleted directories; nothing where there is no registry.
fn remove(mut registry: RegistryReader) -> Result<Vec<(Instance, Vec<Lease>)>, CommandError> {
    match registry.get()? {
        Some(registry) => {
            registry.allow_writes()?;
            Ok(registry.prune()?)
        }
        None => Ok(Vec::new()),
    }
}

fn entries(gone: &[(Instance, Vec<Lease>)]) -> Vec<portway_api::LeaseEntry> {
    gone.iter()
        .flat_map(|(instance, leases)| {
            leases
                .iter()
                .map(|lease| entry(instance, lease, CheckoutState::Missing))
        })
        .collect()
}
