//! Finds the leftover processes of instances that no longer run.

use std::collections::HashSet;

use portway_api::StaleProcess;
use portway_ports::{Process, ProcessId};
use portway_registry::RunningRecord;
use portway_supervisor::mark::{self, Mark};
use portway_supervisor::process::{ancestors, descendants};
use portway_supervisor::remnants;

use super::{Known, info};
use crate::error::CommandError;
use crate::free::stop::StopPolicy;
use crate::gateway::state;
use crate::instance::locate::is_supervised;
use crate::instance::response::supervisor_pid;
use crate::registry::RegistryReader;

/// Returns the processes that were started for a service of an instance that no longer runs.
pub(crate) fn leftovers() -> Result<Vec<(Process, StaleProcess)>, CommandError> {
    let known = Known::read();
    let registry = RegistryReader::open()?;
    let running = RunningInstances::read()?;
    let policy = StopPolicy::for_this_process();
    let mut leftovers = Vec::new();
    for pid in portway_supervisor::process::pids() {
        let Some(mark) = Mark::read(pid) else {
            continue;
        };
        // Ignores processes that the instances of another registry have started.
        let is_own = mark.dir == registry.instance_dir(mark.instance_id());
        if !is_own || mark::has_keeper(pid) || is_supervised(&mark.dir) || running.has_part(pid) {
            continue;
        }
        let process = Process::read(pid).filter(|process| policy.check(process).is_ok());
        if let Some(process) = process {
            let leftover = StaleProcess {
                process: info(&process),
                instance: known
                    .service(mark.instance_id(), &mark.service)
                    .map(|owner| owner.instance),
                id: mark.instance_id().to_owned(),
                service: mark.service,
            };
            leftovers.push((process, leftover));
        }
    }
    let mut unmarked = Vec::new();
    for id in registry.instance_ids() {
        let dir = registry.instance_dir(&id);
        if !remnants::has_dead_keepers(&dir) || portway_registry::has_supervisor(&dir) {
            continue;
        }
        for found in remnants::leftovers(&dir) {
            let is_listed = leftovers.iter().any(|(process, _)| process.id == found.id);
            let process = Process::read(found.id.pid).filter(|one| policy.check(one).is_ok());
            if let Some(process) = process.filter(|_| !is_listed) {
                unmarked.push((process, id.clone(), found.service));
            }
        }
    }
    for (process, id, service) in unmarked {
        let owner = known.service(&id, &service);
        let leftover = StaleProcess {
            process: info(&process),
            instance: owner.map(|owner| owner.instance),
            id,
            service,
        };
        leftovers.push((process, leftover));
    }
    Ok(leftovers)
}

/// The supervisors and the gateway, which run although they may have inherited the mark of another
/// instance.
pub(crate) struct RunningInstances {
    pids: HashSet<u32>,
}

impl RunningInstances {
    pub(crate) fn read() -> Result<Self, CommandError> {
        let registry = RegistryReader::open()?;
        let state_dir = registry.state_dir();
        let dirs = portway_registry::instance_ids(state_dir).into_iter();
        let pids = dirs
            .map(|id| registry.instance_dir(&id))
            .filter(|dir| is_supervised(dir))
            .filter_map(|dir| supervisor_pid(&dir, RunningRecord::read(&dir).as_ref()));
        let gateway = state::status().ok().flatten().map(|gateway| gateway.pid);
        Ok(Self {
            pids: pids.chain(gateway).collect(),
        })
    }

    /// Returns whether a process is one of them, or the supervisor of an instance with another state
    /// directory.
    pub(crate) fn contains(&self, pid: u32) -> bool {
        self.pids.contains(&pid) || !mark::supervised_services(pid).is_empty()
    }

    /// Returns whether a process is one of them or below one.
    fn has_part(&self, pid: u32) -> bool {
        self.contains(pid)
            || ancestors(pid)
                .iter()
                .any(|above| self.contains(above.id.pid))
    }

    /// Returns `processes` without these and without all processes below them.
    pub(crate) fn without(&self, mut processes: Vec<ProcessId>) -> Vec<ProcessId> {
        let running: Vec<u32> = processes
            .iter()
            .map(|process| process.pid)
            .filter(|&pid| self.contains(pid))
            .collect();
        for pid in running {
            let below = descendants(pid);
            processes.retain(|process| process.pid != pid && !below.contains(process));
        }
        processes
    }
}
