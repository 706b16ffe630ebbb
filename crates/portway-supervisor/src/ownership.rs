//! The ownership check: which process listens on a service's port.
//!
//! While a service starts, its hold is soft, and another process that sets `SO_REUSEADDR` can take
//! the port. So a listening socket counts as the service's own only if a process below the
//! service's keeper has it open.

use std::collections::HashMap;

use portway_api::PortConflict;
use portway_ports::{Families, Listener, Process, find_owner, owners};

use crate::process::{descendants, tree_pids};

/// The result of the check for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortOwnership {
    /// No process listens on one of the ports yet.
    NotListening,
    /// The service listens on all its ports, in these address families and with these sockets.
    Own {
        families: Families,
        sockets: Vec<u64>,
    },
    /// Another process listens on this port.
    Foreign { port: u16, process: PortConflict },
    /// The process that listens is not visible yet, for example while it is being replaced. The
    /// next poll decides.
    Unknown { port: u16 },
}

/// All listening sockets of the machine, by port.
pub(crate) type Listeners = HashMap<u16, Vec<Listener>>;

/// Reads all listening sockets. Empty if the system does not report them.
pub(crate) fn read_listeners() -> Listeners {
    let mut by_port = Listeners::new();
    for listener in portway_ports::all_listeners().unwrap_or_default() {
        by_port.entry(listener.port).or_default().push(listener);
    }
    by_port
}

/// Checks which process listens on `ports`, the ports of the service below `keeper`.
///
/// `any_owner` waives the check, for services whose listener is another process by design.
/// `verified` are sockets that passed an earlier check.
pub(crate) fn evaluate(
    listeners: &Listeners,
    ports: &[u16],
    keeper: u32,
    any_owner: bool,
    verified: &[u64],
) -> PortOwnership {
    let mut all = Vec::new();
    for port in ports {
        match listeners.get(port) {
            Some(listeners) => all.extend(listeners.iter()),
            None => return PortOwnership::NotListening,
        }
    }
    let is_new = |listener: &&&Listener| !verified.contains(&listener.socket);
    let new: Vec<&&Listener> = all.iter().filter(is_new).collect();
    if !any_owner && !new.is_empty() {
        let mut tree = tree_pids(keeper);
        tree.retain(|&pid| pid != keeper);
        for listener in new {
            if find_owner(tree.iter().copied(), listener.socket).is_none() {
                return find_foreign_owner(listener, keeper);
            }
        }
    }
    PortOwnership::Own {
        families: Families::of(all.iter().copied()),
        sockets: all.iter().map(|listener| listener.socket).collect(),
    }
}

/// Identifies the owner of a socket that no process of the fast tree reading has open.
fn find_foreign_owner(listener: &Listener, keeper: u32) -> PortOwnership {
    let port = listener.port;
    // The fast reading may have missed a process, so this one is complete.
    let tree = descendants(keeper);
    let is_own = |pid: u32| tree.iter().any(|process| process.pid == pid);
    let owners = owners(port).unwrap_or_default();
    let owner = owners
        .iter()
        .find(|owner| owner.listener.socket == listener.socket);
    match owner.and_then(|owner| owner.process.as_ref()) {
        None => PortOwnership::Unknown { port },
        Some(process) if is_own(process.id.pid) => PortOwnership::Unknown { port },
        // A socket that the supervisor passes to the service.
        Some(process) if [keeper, std::process::id()].contains(&process.id.pid) => {
            PortOwnership::NotListening
        }
        Some(process) => PortOwnership::Foreign {
            port,
            process: port_conflict(process),
        },
    }
}

/// Describes a process that uses a port.
pub(crate) fn port_conflict(process: &Process) -> PortConflict {
    let directory = process.working_dir.as_ref();
    PortConflict::Process {
        pid: process.id.pid,
        name: process.name.clone(),
        directory: directory.map(|dir| dir.display().to_string()),
    }
}
