//! Listening sockets and the processes that own them.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;

use crate::platform;
use crate::process::Process;
use crate::protocol::Protocol;

/// A listening TCP socket, or a UDP socket that receives from every sender.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// The local address; an unspecified address means every address of the family.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// The local port.
    pub port: u16,
    /// Whether an IPv6 socket refuses IPv4 connections. Always false on macOS and Windows, which do
    /// not report it.
    pub only_v6: bool,
    /// The number of the user who opened the socket, if the system reports it. On Windows this is
    /// the last part of the security identifier.
    pub user: Option<u32>,
    /// Identifies the socket on this machine: the inode on Linux, elsewhere a number made of
    /// owner, port and address.
    pub socket: u64,
}

/// A socket on a port, with the processes that have it open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortOwner {
    /// The socket.
    pub listener: Listener,
    /// The process that has the socket open, the one with the lowest pid if there are several.
    /// `None` if the system does not report it to this user.
    pub process: Option<Process>,
    /// The pids of the other processes that have the socket open, such as forked workers, lowest
    /// first.
    pub other_pids: Vec<u32>,
}

/// Returns the sockets that listen on `port`, of both families.
///
/// # Errors
/// Fails if the system does not report its sockets.
pub fn listeners(port: u16) -> io::Result<Vec<Listener>> {
    platform::listeners(Some(port))
}

/// Returns all listening sockets, of both families.
///
/// # Errors
/// Fails if the system does not report its sockets.
pub fn all_listeners() -> io::Result<Vec<Listener>> {
    platform::listeners(None)
}

/// Returns all UDP sockets that are bound to a port and not connected, of both families.
///
/// # Errors
/// Fails if the system does not answer, and always on Windows.
pub fn udp_sockets() -> io::Result<Vec<Listener>> {
    platform::udp_sockets()
}

/// Returns whether a user other than root and that of this process has a socket on `port`, listening or only
/// bound. False if the system does not report it, and always on Windows.
pub fn is_used_by_other_user(port: u16, protocol: Protocol) -> bool {
    let Some(own) = platform::own_user() else {
        return false;
    };
    let sockets = match protocol {
        Protocol::Tcp => [platform::listeners(Some(port)), platform::bound(port)],
        Protocol::Udp => [platform::udp_sockets(), Ok(Vec::new())],
    };
    let mut users = sockets
        .into_iter()
        .flatten()
        .flatten()
        .filter(|socket| socket.port == port)
        .filter_map(|socket| socket.user);
    users.any(|user| user != 0 && user != own)
}

/// Returns the owners of `sockets`.
///
/// # Errors
/// Fails if the system does not answer.
pub fn owners_of_sockets(sockets: Vec<Listener>) -> io::Result<Vec<PortOwner>> {
    with_processes(sockets, &[])
}

/// Returns the owners of the sockets that listen on `port`. A client whose local port is `port`
/// does not count.
///
/// # Errors
/// Fails if the system does not report its sockets.
pub fn owners(port: u16) -> io::Result<Vec<PortOwner>> {
    owners_among(port, &[])
}

/// Returns the same as [`owners`], but searches the processes `likely` first.
///
/// A socket that one of them has open is not searched for elsewhere, so `likely` should contain
/// every process that may share it, such as a whole process tree.
///
/// # Errors
/// Fails if the system does not report its sockets.
pub fn owners_among(port: u16, likely: &[u32]) -> io::Result<Vec<PortOwner>> {
    with_processes(platform::listeners(Some(port))?, likely)
}

/// Returns the owners of the sockets that listen on any of `ports`. Processes are searched once for
/// all ports.
///
/// # Errors
/// Fails if the system does not report its sockets.
pub fn owners_of(ports: &[u16]) -> io::Result<Vec<PortOwner>> {
    let mut found = Vec::new();
    for port in ports {
        found.extend(platform::listeners(Some(*port))?);
    }
    with_processes(found, &[])
}

/// Returns the owners of all listening sockets.
///
/// # Errors
/// Fails if the system does not report its sockets.
pub fn all_owners() -> io::Result<Vec<PortOwner>> {
    with_processes(platform::listeners(None)?, &[])
}

/// Returns the owners of the sockets that are bound to `port` and do not listen, such as those of a
/// [`Hold`](crate::Hold). Empty on Windows and on Linux before 6.8, which do not report them.
///
/// # Errors
/// Fails if the system does not report its sockets.
pub fn bound_owners(port: u16) -> io::Result<Vec<PortOwner>> {
    with_processes(platform::bound(port)?, &[])
}

/// Returns the first of `pids` that has `socket` ([`Listener::socket`]) open.
///
/// # Errors
/// Fails if the owner is unknown because this process cannot open more files.
pub fn find_owner(pids: impl IntoIterator<Item = u32>, socket: u64) -> io::Result<Option<u32>> {
    for pid in pids {
        if platform::has_open(pid, socket)? {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}

/// Returns whether the system hides from this user which sockets a process has open, as for a process
/// of another user or one whose program has file capabilities. Always false on macOS and Windows.
#[must_use]
pub fn hides_sockets(pid: u32) -> bool {
    platform::hides_sockets(pid)
}

pub(crate) fn with_processes(found: Vec<Listener>, likely: &[u32]) -> io::Result<Vec<PortOwner>> {
    let mut sockets: HashSet<u64> = found.iter().map(|listener| listener.socket).collect();
    let mut owners = platform::socket_owners_among(likely, &sockets)?;
    sockets.retain(|socket| !owners.contains_key(socket));
    if !sockets.is_empty() {
        owners.extend(platform::socket_owners(&sockets)?);
    }
    Ok(found
        .into_iter()
        .map(|listener| {
            let pids = owners.remove(&listener.socket).unwrap_or_default();
            let mut pids = pids.into_iter();
            PortOwner {
                process: pids.by_ref().find_map(Process::read),
                other_pids: pids.collect(),
                listener,
            }
        })
        .collect())
}
