//! Linux: settings and processes from `/proc`, sockets from netlink `sock_diag`.

mod lookup;
mod namespace_sockets;
mod netlink;
mod open_files;
mod processes;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;

use crate::parse::reserved_ports;
use crate::policy::PortPolicy;
use crate::range::PortRange;

pub(crate) use lookup::{ConnectionUsers, LocalhostSockets};
pub(crate) use namespace_sockets::NamespaceSockets;
pub(crate) use netlink::{bound, has_active_sockets, listeners, udp_sockets};
pub(crate) use processes::{process, process_id, started_at};

/// Setting `SO_REUSEADDR` on a bound socket admits other sockets that set it.
pub(crate) const SOFT_HOLD_KEEPS_SOCKETS: bool = true;

/// A socket with `SO_REUSEADDR` can be bound over connections in TIME_WAIT.
pub(crate) const REUSE_PASSES_TIME_WAIT: bool = true;

/// The first unprivileged port on kernels before 4.11, which have no setting for it.
const DEFAULT_FIRST_UNPRIVILEGED: u16 = 1024;

pub(crate) fn policy() -> io::Result<PortPolicy> {
    let sysctl = |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
    let numbers = sysctl("ip_local_port_range")?;
    let mut numbers = numbers.split_whitespace().map(str::parse::<u16>);
    let ephemeral = match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(last))) => PortRange::new(first, last).ok(),
        _ => None,
    };
    let first_unprivileged = sysctl("ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(DEFAULT_FIRST_UNPRIVILEGED);
    // A kernel without this setting reserves nothing.
    let reserved = sysctl("ip_local_reserved_ports").unwrap_or_default();
    Ok(PortPolicy {
        ephemeral,
        first_unprivileged,
        reserved: reserved_ports(&reserved),
        ..PortPolicy::default()
    })
}

/// For each of `sockets`, returns the pids that have it open, lowest first, as far as this user may
/// read them.
pub(crate) fn socket_owners(sockets: &HashSet<u64>) -> io::Result<HashMap<u64, Vec<u32>>> {
    open_files::owners(processes::pids()?.collect(), sockets)
}

/// Returns the same as [`socket_owners`], but only considers `pids`.
pub(crate) fn socket_owners_among(
    pids: &[u32],
    sockets: &HashSet<u64>,
) -> io::Result<HashMap<u64, Vec<u32>>> {
    open_files::owners(pids.to_vec(), sockets)
}

pub(crate) fn hides_sockets(pid: u32) -> bool {
    open_files::are_hidden(pid)
}

pub(crate) fn has_open(pid: u32, socket: u64) -> io::Result<bool> {
    open_files::any(pid, |open| open == socket)
}
