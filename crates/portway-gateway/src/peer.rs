//! The client of a connection, and the listener that accepted it.

use std::net::{IpAddr, SocketAddr};

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListenerKind {
    /// All names, by HTTP.
    Http,
    /// All names, by HTTPS.
    Https,
    /// One service, for any host name.
    FixedPort,
}

/// The client side of a connection to the gateway.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// The port of the gateway to which the client connected.
    pub(crate) port: u16,
    /// The listener to which the client connected.
    pub(crate) listener: ListenerKind,
    /// The socket addresses of the client and of the gateway.
    pub(crate) sockets: (SocketAddr, SocketAddr),
}

impl Peer {
    /// Whether the connection uses TLS.
    pub(crate) fn is_tls(self) -> bool {
        self.listener == ListenerKind::Https
    }

    /// Whether the client is on this machine.
    pub(crate) fn is_local(self) -> bool {
        self.address.to_canonical().is_loopback()
    }

    /// Whether the client belongs to another user of this machine, except root.
    ///
    /// Returns false on systems that do not reveal the owner of a connection.
    pub(crate) fn is_another_user(self) -> bool {
        const ROOT: u32 = 0;
        let (client, gateway) = self.sockets;
        portway_ports::user_of_connection(client, gateway)
            .is_some_and(|user| user != portway_supervisor::process::current_user() && user != ROOT)
    }
}
