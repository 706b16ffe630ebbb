//! Who listens on a port, and which process that is.

use std::io;
use std::net::IpAddr;

use crate::platform;
use crate::process::Process;

/// One listening TCP socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The local address; unspecified means every address of the family.
    pub address: IpAddr,
    /// The local port.
    pub port: u16,
    /// The user that opened it.
    pub uid: u32,
    /// What identifies the socket on this machine: the inode on Linux.
    pub socket: u64,
}

/// One listening socket with the process that has it, as far as this user may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The socket.
    pub listener: Listener,
    /// A process that has it open, the oldest if there are several. `None` when it belongs to
    /// another user and the system does not tell.
    pub process: Option<Process>,
}

/// The listening sockets on `port`, or all of them for `None`, of both families.
///
/// # Errors
/// When the system does not answer.
pub fn listeners(port: Option<u16>) -> io::Result<Vec<Listener>> {
    platform::listeners(port)
}

/// Everyone who listens on `port`. Only listening sockets count, never a client whose local port
/// happens to be the same.
///
/// # Errors
/// When the system does not answer.
pub fn holders(port: u16) -> io::Result<Vec<Holder>> {
    let found = platform::listeners(Some(port))?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let sockets: Vec<u64> = found.iter().map(|listener| listener.socket).collect();
    let owners = platform::owners(&sockets);
    Ok(found
        .into_iter()
        .map(|listener| Holder {
            process: owners
                .get(&listener.socket)
                .and_then(|pid| Process::read(*pid)),
            listener,
        })
        .collect())
}
