//! macOS: `libproc` for processes and their sockets.
//!
//! Sockets and environments of other users are hidden here; what can be bound tells all the same
//! whether a port is free.

mod processes;

use std::io;
use std::process::Command;

use listeners::{Protocol, SocketState};

use crate::exclude::Facts;
use crate::listen::Listener;
use crate::range::PortRange;
use crate::reserved::lives_in_netstat;

pub(crate) use super::by_pid::{has_open, owners, owners_among, tree, usage};
pub(crate) use super::unasked::user_of_connection;
pub(crate) use processes::{
    container, descendants, own_user, pids, process, relations, send_signal, spent, started_at,
    user_name, variable,
};

/// Setting `SO_REUSEADDR` on a socket that is bound already changes nothing for others.
pub(crate) const HOLD_FLIPS: bool = false;

/// With `SO_REUSEADDR` a socket is bound over TIME_WAIT, and beside no other of the same address.
pub(crate) const PASSES_TIME_WAIT: bool = true;

/// Control Center listens on these while AirPlay Receiver is on, as it is at first.
const AIRPLAY: &str = "AirPlay Receiver";

#[allow(clippy::unnecessary_wraps, reason = "other systems can fail here")]
pub(crate) fn facts() -> io::Result<Facts> {
    let port = |name| processes::sysctl_number(name).and_then(|n| u16::try_from(n).ok());
    let first = port(c"net.inet.ip.portrange.first");
    let last = port(c"net.inet.ip.portrange.last");
    let ephemeral = first.zip(last);
    Ok(Facts {
        ephemeral: ephemeral.and_then(|(first, last)| PortRange::new(first, last).ok()),
        // Since 10.14 anyone may bind them, but on the unspecified address alone.
        unprivileged_start: 1024,
        squatters: vec![(5000, AIRPLAY), (7000, AIRPLAY)],
        ..Facts::default()
    })
}

/// Whether anything but TIME_WAIT exists with `port` as its local port, whoever's it is.
pub(crate) fn anything_lives(port: u16) -> io::Result<bool> {
    let netstat = Command::new("/usr/sbin/netstat")
        .args(["-anp", "tcp"])
        .output()?;
    if !netstat.status.success() {
        return Err(io::Error::other("`netstat -anp tcp` fails"));
    }
    Ok(lives_in_netstat(
        &String::from_utf8_lossy(&netstat.stdout),
        port,
    ))
}

pub(crate) fn listeners(port: Option<u16>) -> io::Result<Vec<Listener>> {
    in_state(SocketState::Listen, port)
}

/// Bound and neither listening nor connected.
pub(crate) fn bound(port: u16) -> io::Result<Vec<Listener>> {
    in_state(SocketState::Closed, Some(port))
}

fn in_state(state: SocketState, port: Option<u16>) -> io::Result<Vec<Listener>> {
    let all = listeners::get_all().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(all
        .into_iter()
        .filter(|one| one.protocol == Protocol::TCP && one.state == state)
        .filter(|one| port.is_none_or(|port| one.socket.port() == port))
        .map(|one| {
            let (pid, address, port) = (one.process.pid, one.socket.ip(), one.socket.port());
            Listener {
                address,
                port,
                uid: processes::user_of(pid).unwrap_or(u32::MAX),
                socket: super::by_pid::socket(pid, address, port),
            }
        })
        .collect())
}
