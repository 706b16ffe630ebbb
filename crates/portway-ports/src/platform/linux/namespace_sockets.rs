//! The sockets of another network namespace.

use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

use netlink_sys::Socket as Netlink;

use super::netlink;
use crate::listener::Listener;

/// A socket for requests that was created in the namespace.
#[derive(Debug)]
pub(crate) struct NamespaceSockets(Netlink);

impl NamespaceSockets {
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        // SAFETY: the descriptor is open and belongs to the new value alone.
        #[allow(unsafe_code)]
        let netlink = unsafe { Netlink::from_raw_fd(socket.into_raw_fd()) };
        let netlink = netlink::prepare(netlink)?;
        // A response has several messages, and the reader waits for the last one.
        netlink.set_non_blocking(false)?;
        Ok(Self(netlink))
    }

    pub(crate) fn all(&self) -> io::Result<Vec<Listener>> {
        netlink::all_in_namespace(&self.0)
    }
}
