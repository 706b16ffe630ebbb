//! What services use of the machine, read only when somebody asks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use portway_api::ServiceUsage;
use portway_supervisor::mark;

use crate::cache::InstanceSnapshot;

/// A reading younger than this is told to the next who asks as well.
const FRESH: Duration = Duration::from_millis(1500);

/// A reading older than this tells nothing about what is used now.
const OLD: Duration = Duration::from_secs(15);

/// Reads, for all who look at once.
#[derive(Debug, Default)]
pub(super) struct Meter {
    last: Mutex<Option<Reading>>,
}

#[derive(Debug)]
struct Reading {
    at: Instant,
    /// The processor time of each tree, by its root.
    cpu: HashMap<u32, Duration>,
    services: Vec<ServiceUsage>,
}

impl Meter {
    /// What the services in `snapshot` use now. It blocks for some milliseconds.
    pub(super) fn read(&self, snapshot: &InstanceSnapshot) -> Vec<ServiceUsage> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = last.as_ref().filter(|one| one.at.elapsed() < FRESH) {
            return reading.services.clone();
        }
        let former = last.take().filter(|one| one.at.elapsed() < OLD);
        let reading = read(snapshot, former.as_ref());
        let services = reading.services.clone();
        *last = Some(reading);
        services
    }
}

fn read(snapshot: &InstanceSnapshot, former: Option<&Reading>) -> Reading {
    let mut named = Vec::new();
    let mut roots = Vec::new();
    for member in snapshot.all() {
        for service in &member.status.services {
            let Some(pid) = service.pid else { continue };
            named.push((&member.status.id, &service.name));
            // What has left its parent is still below the keeper.
            roots.push(mark::keeper_of(pid).unwrap_or(pid));
        }
    }
    let at = Instant::now();
    let found = portway_supervisor::process::usage(&roots);
    let mut reading = Reading {
        at,
        cpu: HashMap::new(),
        services: Vec::new(),
    };
    for (((instance, service), root), usage) in named.into_iter().zip(roots).zip(found) {
        let Some(usage) = usage else { continue };
        let cpu = former.and_then(|former| {
            let used = usage.cpu.saturating_sub(*former.cpu.get(&root)?);
            let share = used.as_secs_f64() / (at - former.at).as_secs_f64();
            // In tenths of a percent: the clock is no finer.
            Some((share * 1000.0).round() / 10.0)
        });
        reading.cpu.insert(root, usage.cpu);
        reading.services.push(ServiceUsage {
            instance: instance.clone(),
            service: service.clone(),
            cpu,
            memory: usage.memory,
            processes: usage.processes,
        });
    }
    reading
}
