//! Measures the resource usage of services while a client is connected.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use portway_api::ServiceUsage;
use portway_supervisor::mark;

use crate::cache::InstanceSnapshot;

/// A measurement that is younger than this is returned to other clients as well.
const REUSE_AGE: Duration = Duration::from_millis(1500);

/// A measurement that is older than this is not used to compute the current CPU usage.
const MAX_BASE_AGE: Duration = Duration::from_secs(15);

/// Measures the resource usage once for all clients.
#[derive(Debug, Default)]
pub(super) struct UsageMeter {
    last: Mutex<Option<Measurement>>,
}

#[derive(Debug)]
struct Measurement {
    at: Instant,
    /// The CPU time of each process tree, by the pid of its root.
    cpu_times: HashMap<u32, Duration>,
    services: Vec<ServiceUsage>,
}

impl UsageMeter {
    /// Returns the current usage of all services. Blocks for a few milliseconds.
    pub(super) fn measure(&self, snapshot: &InstanceSnapshot) -> Vec<ServiceUsage> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recent) = last.as_ref().filter(|one| one.at.elapsed() < REUSE_AGE) {
            return recent.services.clone();
        }
        let base = last.take().filter(|one| one.at.elapsed() < MAX_BASE_AGE);
        let measurement = measure(snapshot, base.as_ref());
        let services = measurement.services.clone();
        *last = Some(measurement);
        services
    }
}

fn measure(snapshot: &InstanceSnapshot, base: Option<&Measurement>) -> Measurement {
    let mut names = Vec::new();
    let mut roots = Vec::new();
    for instance in snapshot.all() {
        for service in &instance.status.services {
            let Some(pid) = service.pid else { continue };
            names.push((&instance.status.id, &service.name));
            // Processes that were reparented are still below the keeper.
            roots.push(mark::keeper_of(pid).unwrap_or(pid));
        }
    }
    let at = Instant::now();
    let usages = portway_supervisor::process::usage(&roots);
    let mut measurement = Measurement {
        at,
        cpu_times: HashMap::new(),
        services: Vec::new(),
    };
    for (((instance, service), root), usage) in names.into_iter().zip(roots).zip(usages) {
        let Some(usage) = usage else { continue };
        let cpu = base.and_then(|base| {
            let used = usage.cpu.saturating_sub(*base.cpu_times.get(&root)?);
            let share = used.as_secs_f64() / (at - base.at).as_secs_f64();
            // Percent with one decimal place, the resolution of the system's clock.
            Some((share * 1000.0).round() / 10.0)
        });
        measurement.cpu_times.insert(root, usage.cpu);
        measurement.services.push(ServiceUsage {
            instance: instance.clone(),
            service: service.clone(),
            cpu,
            memory: usage.memory,
            processes: usage.processes,
        });
    }
    measurement
}
