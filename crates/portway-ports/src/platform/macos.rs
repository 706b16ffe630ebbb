//! macOS: sockets and processes from `libproc`, settings from `sysctl`.
//!
//! The system hides the sockets and environments of other users' processes. Binding still shows
//! whether a port is free.

mod processes;

use std::io;
use std::process::Command;

use listeners::SocketState;

use super::owner_pid;
use crate::listener::Listener;
use crate::parse::netstat_lists_active;
use crate::policy::PortPolicy;
use crate::protocol::Protocol;
use crate::range::PortRange;

pub(crate) use super::owner_pid::{has_open, socket_owners, socket_owners_among};
pub(crate) use super::unsupported::{ConnectionUsers, LocalhostSockets, hides_sockets};
pub(crate) use processes::{process, process_id, started_at};

/// Setting `SO_REUSEADDR` on a bound socket does not admit others, so a soft hold has no sockets.
pub(crate) const SOFT_HOLD_KEEPS_SOCKETS: bool = false;

/// A socket with `SO_REUSEADDR` can be bound over connections in TIME_WAIT, but not next to another
/// socket on the same address.
pub(crate) const REUSE_PASSES_TIME_WAIT: bool = true;

/// Control Center listens on ports 5000 and 7000 for it. It is on by default.
const AIRPLAY: &str = "AirPlay Receiver";

#[allow(clippy::unnecessary_wraps, reason = "can fail on other systems")]
pub(crate) fn policy() -> io::Result<PortPolicy> {
    let port = |name| processes::sysctl_number(name).and_then(|n| u16::try_from(n).ok());
    let first = port(c"net.inet.ip.portrange.first");
    let last = port(c"net.inet.ip.portrange.last");
    let ephemeral = first.zip(last);
    Ok(PortPolicy {
        ephemeral: ephemeral.and_then(|(first, last)| PortRange::new(first, last).ok()),
        // Since macOS 10.14 every user may bind lower ports too, but not on a single address.
        first_unprivileged: 1024,
        system_services: vec![(5000, AIRPLAY), (7000, AIRPLAY)],
        ..PortPolicy::default()
    })
}

/// Returns whether a socket of any user in any state but TIME_WAIT has the local port `port`.
pub(crate) fn has_active_sockets(port: u16) -> io::Result<bool> {
    let netstat = Command::new("/usr/sbin/netstat")
        .args(["-anp", "tcp"])
        .output()?;
    if !netstat.status.success() {
        return Err(io::Error::other("`netstat -anp tcp` failed"));
    }
    Ok(netstat_lists_active(
        &String::from_utf8_lossy(&netstat.stdout),
        port,
    ))
}

pub(crate) fn listeners(port: Option<u16>) -> io::Result<Vec<Listener>> {
    let sockets = tcp(SocketState::Listen)?;
    Ok(on_port(sockets, port))
}

/// Returns the sockets that are bound and neither listen nor are connected.
pub(crate) fn bound(port: u16) -> io::Result<Vec<Listener>> {
    let sockets = tcp(SocketState::Closed)?;
    Ok(on_port(sockets, Some(port)))
}

/// Returns the UDP sockets that are bound to a port.
pub(crate) fn udp_sockets() -> io::Result<Vec<Listener>> {
    let mut all = sockets()?;
    all.retain(|one| one.protocol == listeners::Protocol::UDP);
    Ok(all.iter().map(|one| listener(Protocol::Udp, one)).collect())
}

fn tcp(state: SocketState) -> io::Result<Vec<Listener>> {
    let mut all = sockets()?;
    all.retain(|one| one.protocol == listeners::Protocol::TCP && one.state == state);
    Ok(all.iter().map(|one| listener(Protocol::Tcp, one)).collect())
}

fn on_port(mut sockets: Vec<Listener>, port: Option<u16>) -> Vec<Listener> {
    sockets.retain(|one| port.is_none_or(|port| one.port == port));
    sockets
}

fn sockets() -> io::Result<Vec<listeners::Listener>> {
    let all = listeners::get_all().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(all.into_iter().collect())
}

fn listener(protocol: Protocol, one: &listeners::Listener) -> Listener {
    let (pid, address, port) = (one.process.pid, one.socket.ip(), one.socket.port());
    Listener {
        address,
        protocol,
        port,
        only_v6: false,
        user: processes::user_of(pid),
        socket: owner_pid::socket(pid, address, port),
    }
}
