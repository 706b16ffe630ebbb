//! Processes that an instance has left behind which does not run any more.

use portway_api::StaleProcess;
use portway_ports::Process;
use portway_supervisor::mark::{self, Mark};

use super::{Known, info};
use crate::error::CommandError;
use crate::free::stop::Asker;
use crate::registry::RegistryReader;

/// The processes that were started for a service of an instance that does not run.
pub(crate) fn leftovers() -> Result<Vec<(Process, StaleProcess)>, CommandError> {
    let known = Known::read();
    let mut registry = RegistryReader::open()?;
    let asker = Asker::this();
    let mut left = Vec::new();
    for pid in portway_supervisor::process::pids() {
        let Some(mark) = Mark::read(pid) else {
            continue;
        };
        // What another registry's instances have started is none of this one's business.
        let own = mark.dir == registry.instance_dir(mark.instance_id());
        if !own || mark::has_keeper(pid) || registry.has_supervisor(mark.instance_id())? {
            continue;
        }
        let process = Process::read(pid).filter(|process| asker.may_end(process).is_ok());
        if let Some(process) = process {
            let leftover = StaleProcess {
                process: info(&process),
                instance: known
                    .service(mark.instance_id(), &mark.service)
                    .map(|owner| owner.instance),
                id: mark.instance_id().to_owned(),
                service: mark.service,
            };
            left.push((process, leftover));
        }
    }
    Ok(left)
}
