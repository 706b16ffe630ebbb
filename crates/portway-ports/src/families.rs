//! The address families in which a server listens.

use std::net::IpAddr;

use crate::listener::Listener;

/// The address families in which a server listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Families {
    /// Whether a connection to 127.0.0.1 reaches the server.
    pub v4: bool,
    /// Whether a connection to ::1 reaches the server.
    pub v6: bool,
}

impl Families {
    /// Returns the families that `listeners` serve. `[::]` counts for both, unless the socket is
    /// known to refuse IPv4 connections.
    #[must_use]
    pub fn of<'a>(listeners: impl IntoIterator<Item = &'a Listener>) -> Self {
        let mut families = Self::default();
        for listener in listeners {
            match listener.address {
                IpAddr::V4(_) => families.v4 = true,
                IpAddr::V6(address) => {
                    families.v6 = true;
                    families.v4 |= address.to_ipv4_mapped().is_some()
                        || (address.is_unspecified() && !listener.only_v6);
                }
            }
        }
        families
    }
}
