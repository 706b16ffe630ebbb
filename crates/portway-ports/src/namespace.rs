//! The sockets of another network namespace, on Linux.

use std::io;
use std::os::fd::OwnedFd;

use crate::listener::{Listener, PortOwner, with_processes};
use crate::platform;

/// Reports the listening sockets of another network namespace.
#[derive(Debug)]
pub struct NamespaceSockets(platform::NamespaceSockets);

impl NamespaceSockets {
    /// Uses `socket`, an unbound netlink socket of the protocol `NETLINK_SOCK_DIAG` (4) that was
    /// created in the namespace.
    ///
    /// # Errors
    /// If it is another kind of socket.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        platform::NamespaceSockets::new(socket).map(Self)
    }

    /// Returns the listening TCP sockets and the unconnected UDP sockets of the namespace.
    ///
    /// # Errors
    /// Fails if the system does not report its sockets.
    pub fn sockets(&self) -> io::Result<Vec<Listener>> {
        self.0.all()
    }

    /// Returns the listening TCP sockets and the unconnected UDP sockets of the namespace with their
    /// owners. Processes `likely` are searched first, as in [`owners_among`](crate::owners_among).
    ///
    /// # Errors
    /// Fails if the system does not report its sockets.
    pub fn owners(&self, likely: &[u32]) -> io::Result<Vec<PortOwner>> {
        with_processes(self.0.all()?, likely)
    }
}
