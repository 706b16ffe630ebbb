//! Who listens on a port, and which process that is.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::platform;
use crate::process::Process;

/// One listening TCP socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The local address; unspecified means every address of the family.
    pub address: IpAddr,
    /// The local port.
    pub port: u16,
    /// The user that opened it, by number (on Windows the last of the security identifier);
    /// `u32::MAX` where the system does not tell.
    pub uid: u32,
    /// What identifies the socket on this machine: the inode on Linux, elsewhere a number made of
    /// owner, port and address.
    pub socket: u64,
}

/// One listening socket with the processes that have it, as far as this user may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The socket.
    pub listener: Listener,
    /// A process that has it open, the oldest if there are several. `None` when it belongs to
    /// another user and the system does not tell.
    pub process: Option<Process>,
    /// The pids of the other processes that have it open, such as forked workers, lowest first.
    pub others: Vec<u32>,
}

/// The listening sockets on `port`, or all of them for `None`, of both families.
///
/// # Errors
/// When the system does not answer.
pub fn listeners(port: Option<u16>) -> io::Result<Vec<Listener>> {
    platform::listeners(port)
}

/// The sockets that are bound to `port` and do not listen, Portway's own holds among them. Empty
/// where the system does not tell (Linux before 6.8).
///
/// # Errors
/// When the system does not answer.
pub fn bound(port: u16) -> io::Result<Vec<Holder>> {
    with_processes(platform::bound(port)?, &[])
}

/// The user that a TCP connection of this machine comes from: `client` is its own end, `server` the
/// other. `None` where it is gone or the system does not tell (macOS, Windows).
pub fn user_of_connection(client: SocketAddr, server: SocketAddr) -> Option<u32> {
    platform::user_of_connection(client, server)
}

/// Everyone who listens on `port`. Only listening sockets count, never a client whose local port
/// happens to be the same.
///
/// # Errors
/// When the system does not answer.
pub fn holders(port: u16) -> io::Result<Vec<Holder>> {
    holders_among(port, &[])
}

/// As [`holders`], looking through the processes `likely` first: a socket that one of them has open
/// is not looked for elsewhere, so they should be all that may share it, such as a whole tree.
///
/// # Errors
/// When the system does not answer.
pub fn holders_among(port: u16, likely: &[u32]) -> io::Result<Vec<Holder>> {
    with_processes(platform::listeners(Some(port))?, likely)
}

/// Everyone who listens on one of `ports`, found in one look through the processes.
///
/// # Errors
/// When the system does not answer.
pub fn holders_of(ports: &[u16]) -> io::Result<Vec<Holder>> {
    let mut found = Vec::new();
    for port in ports {
        found.extend(platform::listeners(Some(*port))?);
    }
    with_processes(found, &[])
}

/// Everyone who listens on any port.
///
/// # Errors
/// When the system does not answer.
pub fn all_holders() -> io::Result<Vec<Holder>> {
    with_processes(platform::listeners(None)?, &[])
}

fn with_processes(found: Vec<Listener>, likely: &[u32]) -> io::Result<Vec<Holder>> {
    let mut sockets: HashSet<u64> = found.iter().map(|listener| listener.socket).collect();
    let mut owners = platform::owners_among(likely, &sockets);
    sockets.retain(|socket| !owners.contains_key(socket));
    if !sockets.is_empty() {
        owners.extend(platform::owners(&sockets));
    }
    Ok(found
        .into_iter()
        .map(|listener| {
            let mut pids = owners
                .remove(&listener.socket)
                .unwrap_or_default()
                .into_iter();
            Holder {
                process: pids.by_ref().find_map(Process::read),
                others: pids.collect(),
                listener,
            }
        })
        .collect())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::own_user;

    #[test]
    fn a_connection_tells_whose_it_is() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, from) = listener.accept().unwrap();
            let to = accepted.local_addr().unwrap();
            assert_eq!(user_of_connection(from, to), Some(own_user()), "{address}");
            // Nor is the listener taken for a connection that is not there.
            drop((client, accepted));
            let nobody = SocketAddr::new(from.ip(), 1);
            assert_eq!(user_of_connection(nobody, to), None, "{address}");
            assert_eq!(user_of_connection(to, nobody), None, "{address}");
        }
    }
}
