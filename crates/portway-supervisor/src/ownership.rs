//! The ownership check: which process listens on a service's port.
//!
//! While a service starts, its hold is soft, and another process that sets `SO_REUSEADDR` can take
//! the port. So a listening socket counts as the service's own only if a process below the
//! service's keeper has it open. Another process takes a port when it gets connections to
//! `localhost`; on other addresses it takes nothing.

mod listeners;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portway_api::PortConflict;
use portway_ports::{
    Families, Listener, Process, Protocol, find_owner, hides_sockets, owners_of_sockets,
};

pub(crate) use listeners::Listeners;

use crate::process::{descendants, tree_pids};

/// The result of the check for one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortOwnership {
    /// The service does not listen on one of the ports, and no other process does.
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
    /// This process cannot read its own or other processes, for example because it has too many files
    /// open. Nothing is known.
    Unreadable(String),
}

/// Checks which process listens on `ports`, the ports of the service below `keeper`.
///
/// `any_owner` waives the check, for services whose listener is another process by design.
/// `verified` are sockets that passed an earlier check. Also returns the sockets of other processes
/// on these ports that take nothing from the service.
pub(crate) fn evaluate(
    listeners: &Listeners,
    ports: &[(Protocol, u16)],
    keeper: u32,
    any_owner: bool,
    verified: &[u64],
) -> (PortOwnership, Vec<Listener>) {
    let is_known = |listener: &Listener| any_owner || verified.contains(&listener.socket);
    let mut all = ports.iter().flat_map(|port| listeners.on(*port));
    let has_new = all.any(|listener| !is_known(listener));
    let mut tree = if has_new {
        tree_pids(keeper)
    } else {
        Vec::new()
    };
    tree.retain(|&pid| pid != keeper);
    let is_own = |listener: &Listener| -> io::Result<bool> {
        Ok(is_known(listener) || find_owner(tree.iter().copied(), listener.socket)?.is_some())
    };
    let mut own = Vec::new();
    let mut beside = Vec::new();
    let mut is_listening = true;
    for &(protocol, port) in ports {
        let (mut own_here, mut foreign) = (Vec::new(), Vec::new());
        for listener in listeners.on((protocol, port)) {
            match is_own(listener) {
                Ok(true) => own_here.push(listener),
                Ok(false) => foreign.push(listener),
                Err(error) => return (PortOwnership::Unreadable(error.to_string()), beside),
            }
        }
        for listener in foreign {
            if !takes_localhost(listener, &own_here) {
                beside.push(listener.clone());
                continue;
            }
            // A hold of a UDP port, or a socket that is passed to the service.
            match find_owner([std::process::id()], listener.socket) {
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(error) => return (PortOwnership::Unreadable(error.to_string()), beside),
            }
            let owner = match find_foreign_owner(listener, keeper) {
                Ok(owner) => owner,
                Err(error) => return (PortOwnership::Unreadable(error.to_string()), beside),
            };
            match owner {
                ForeignOwner::Tree => own_here.push(listener),
                ForeignOwner::Portway => {}
                ForeignOwner::Unknown => return (PortOwnership::Unknown { port }, beside),
                ForeignOwner::Process(process) => {
                    return (PortOwnership::Foreign { port, process }, beside);
                }
            }
        }
        is_listening &= !own_here.is_empty() || !listeners.is_reported(protocol);
        own.extend(own_here);
    }
    let ownership = match is_listening {
        true => PortOwnership::Own {
            families: Families::of(own.iter().copied()),
            sockets: own.iter().map(|listener| listener.socket).collect(),
        },
        false => PortOwnership::NotListening,
    };
    (ownership, beside)
}

/// Returns whether a socket gets connections to an address of `localhost` that those in `own` would
/// otherwise get, or shares them.
pub(crate) fn takes_localhost(listener: &Listener, own: &[&Listener]) -> bool {
    let loopback = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ];
    loopback.into_iter().any(|address| {
        let other = specificity(listener, address);
        let own = own.iter().map(|own| specificity(own, address)).max();
        other > 0 && other >= own.unwrap_or(0)
    })
}

/// Returns how specifically a socket is bound to an address. The kernel chooses the socket with the
/// highest number for a connection to the address; 0 means that the socket does not accept it.
fn specificity(listener: &Listener, address: IpAddr) -> u8 {
    let bound = listener.address.to_canonical();
    if bound == address {
        3
    } else if !bound.is_unspecified() {
        0
    } else if bound.is_ipv4() == address.is_ipv4() {
        2
    } else {
        u8::from(bound.is_ipv6() && !listener.only_v6)
    }
}

/// The owner of a socket that no process of the fast reading of the tree has open.
enum ForeignOwner {
    /// A process of the service.
    Tree,
    /// The keeper, which passes the socket to the service.
    Portway,
    Process(PortConflict),
    Unknown,
}

fn find_foreign_owner(listener: &Listener, keeper: u32) -> io::Result<ForeignOwner> {
    // The fast reading may have missed a process, so this one is complete.
    let tree: Vec<u32> = descendants(keeper)
        .iter()
        .map(|process| process.pid)
        .collect();
    Ok(match owner(listener)?.as_ref() {
        // No visible process has the socket open, but one of the service that is not visible may.
        None if tree.iter().any(|&pid| may_own(pid, listener)) => ForeignOwner::Tree,
        None => ForeignOwner::Unknown,
        Some(process) if tree.contains(&process.id.pid) => ForeignOwner::Unknown,
        Some(process) if process.id.pid == keeper => ForeignOwner::Portway,
        Some(process) => ForeignOwner::Process(port_conflict(process)),
    })
}

/// Returns whether a process whose sockets are hidden runs as the user who opened the socket. A
/// program with file capabilities is such a process.
fn may_own(pid: u32, listener: &Listener) -> bool {
    hides_sockets(pid) && Process::read(pid).is_some_and(|process| process.user == listener.user)
}

/// Returns the process that has a socket open, if it is visible.
///
/// # Errors
/// Fails if that is unknown, for example because this process has too many files open.
fn owner(listener: &Listener) -> io::Result<Option<Process>> {
    let owners = owners_of_sockets(vec![listener.clone()])?;
    Ok(owners.into_iter().find_map(|owner| owner.process))
}

/// Describes the process that has a socket open.
pub(crate) fn conflict_with(listener: &Listener) -> PortConflict {
    let unknown = PortConflict::UnknownProcess { user: None };
    let owner = owner(listener).ok().flatten();
    owner.as_ref().map_or(unknown, port_conflict)
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

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
