//! Whose socket listens: the ownership check.
//!
//! In the instant of the hand-over a stranger that asks for exactly this port, with
//! `SO_REUSEADDR`, can take it. So it is never assumed that a listening port is the service's: the
//! socket must belong to a process below the service's keeper.

use std::collections::HashMap;

use crate::process::descendants;
use portway_api::PortConflict;
use portway_ports::{Families, Listener, Process, find_owner, owners};

/// What the kernel says about a service's ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// On some port nobody listens yet.
    Quiet,
    /// The service's own tree listens on all of them, in these families; these are the sockets.
    Own(Families, Vec<u64>),
    /// Somebody else listens on this one.
    Foreign { port: u16, by: PortConflict },
    /// Somebody listens whom nobody can see yet: a process that is just being replaced. Look again.
    Unclear { port: u16 },
}

/// All listening sockets of the machine, by port.
pub(crate) type Listening = HashMap<u16, Vec<Listener>>;

/// Asks the kernel once.
pub(crate) fn look() -> Listening {
    let mut by_port = Listening::new();
    for listener in portway_ports::all_listeners().unwrap_or_default() {
        by_port.entry(listener.port).or_default().push(listener);
    }
    by_port
}

/// Judges `ports`, which belong to the service under the keeper `keeper`. `anyone` waives the
/// check, for services whose listener is another process by design. `known` are sockets that have
/// been found to be its own before.
pub(crate) fn judge(
    listening: &Listening,
    ports: &[u16],
    keeper: u32,
    anyone: bool,
    known: &[u64],
) -> Finding {
    let mut all = Vec::new();
    for port in ports {
        match listening.get(port) {
            Some(listeners) => all.extend(listeners.iter()),
            None => return Finding::Quiet,
        }
    }
    let sockets: Vec<u64> = all.iter().map(|listener| listener.socket).collect();
    let unknown: Vec<&&Listener> = all.iter().filter(|l| !known.contains(&l.socket)).collect();
    if !anyone && !unknown.is_empty() {
        let mut tree = crate::process::tree_pids(keeper);
        tree.retain(|&pid| pid != keeper);
        for listener in unknown {
            if find_owner(tree.iter().copied(), listener.socket).is_none() {
                return stranger(listener, keeper);
            }
        }
    }
    Finding::Own(Families::of(all.iter().copied()), sockets)
}

/// Somebody listens who was not found in the tree.
fn stranger(listener: &Listener, keeper: u32) -> Finding {
    let port = listener.port;
    // The quick look may have passed somebody over.
    let tree = descendants(keeper);
    let is_own = |pid: u32| tree.iter().any(|process| process.pid == pid);
    let found = owners(port).unwrap_or_default();
    let same = found
        .iter()
        .find(|holder| holder.listener.socket == listener.socket);
    match same.map(|holder| holder.process.as_ref()) {
        // Started meanwhile, or not to be seen: let the next look decide.
        None | Some(None) => Finding::Unclear { port },
        Some(Some(process)) if is_own(process.id.pid) => Finding::Unclear { port },
        // A ready socket on its way to the service.
        Some(Some(process)) if [keeper, std::process::id()].contains(&process.id.pid) => {
            Finding::Quiet
        }
        Some(Some(process)) => Finding::Foreign {
            port,
            by: describe(process),
        },
    }
}

/// A process as the reason for which a port was lost.
pub(crate) fn describe(process: &Process) -> PortConflict {
    let directory = process.working_dir.as_ref();
    PortConflict::Process {
        pid: process.id.pid,
        name: process.name.clone(),
        directory: directory.map(|dir| dir.display().to_string()),
    }
}
