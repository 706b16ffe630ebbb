//! Finds the leftover processes of instances that no longer run.

use portway_api::StaleProcess;
use portway_ports::Process;
use portway_supervisor::mark::{self, Mark};

use super::{Known, info};
use crate::error::CommandError;
use crate::free::stop::StopPolicy;
use crate::instance::locate::is_supervised;
use crate::registry::RegistryReader;

/// Returns the processes that were started for a service of an instance that no longer runs.
pub(crate) fn leftovers() -> Result<Vec<(Process, StaleProcess)>, CommandError> {
    let known = Known::read();
    let registry = RegistryReader::open()?;
    let policy = StopPolicy::for_this_process();
    let mut leftovers = Vec::new();
    for pid in portway_supervisor::process::pids() {
        let Some(mark) = Mark::read(pid) else {
            continue;
        };
        // Ignores processes that the instances of another registry have started.
        let is_own = mark.dir == registry.instance_dir(mark.instance_id());
        if !is_own || mark::has_keeper(pid) || is_supervised(&mark.dir) {
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
    Ok(leftovers)
}
