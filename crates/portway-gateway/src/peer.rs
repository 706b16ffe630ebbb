//! The client of a connection, and the listener that accepted it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use portway_ports::ConnectionUsers;

/// The number of the user root.
const ROOT: u32 = 0;

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

/// The user who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ClientUser {
    /// The user of the gateway, or root.
    Trusted,
    /// Another user of this machine.
    Another(u32),
    /// The system reports users, but could not determine this one.
    Unknown,
    /// The system does not report users (macOS, Windows), or the client is on another machine.
    NotReported,
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
    /// The client's user.
    pub(crate) user: ClientUser,
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

    /// Whether the client is on this machine and, as far as the system reports users, its user is
    /// trusted.
    pub(crate) fn is_trusted(self) -> bool {
        let is_trusted_user = matches!(self.user, ClientUser::Trusted | ClientUser::NotReported);
        self.is_local() && is_trusted_user
    }
}

impl ClientUser {
    /// Determines who opened the connection between the addresses `client` and `gateway`.
    pub(crate) fn of_connection(
        users: &ConnectionUsers,
        client: SocketAddr,
        gateway: SocketAddr,
    ) -> Self {
        let own = portway_supervisor::process::current_user();
        Self::classify(users.find(client, gateway), own, gateway.ip())
    }

    /// Evaluates what the system reported. `own` is the gateway's user.
    ///
    /// Only processes of this machine can connect to a loopback address, from whatever address. On
    /// another address, a client that the system does not find may be on another machine.
    fn classify(found: io::Result<Option<u32>>, own: u32, gateway: IpAddr) -> Self {
        match found {
            Ok(Some(user)) if user == own || user == ROOT => Self::Trusted,
            Ok(Some(user)) => Self::Another(user),
            Ok(None) => Self::NotReported,
            Err(_) if gateway.to_canonical().is_loopback() => Self::Unknown,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::NotReported,
            Err(_) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusts_no_user_that_the_system_could_not_determine() {
        use io::ErrorKind::{NotFound, Other};
        const OWN: u32 = 1000;
        let (loopback, network) = ("127.0.0.1", "192.168.1.5");
        for (found, gateway, expected) in [
            (Ok(Some(OWN)), loopback, ClientUser::Trusted),
            (Ok(Some(ROOT)), loopback, ClientUser::Trusted),
            (Ok(Some(1001)), loopback, ClientUser::Another(1001)),
            (Ok(Some(1001)), network, ClientUser::Another(1001)),
            (Ok(None), loopback, ClientUser::NotReported),
            (Err(NotFound), loopback, ClientUser::Unknown),
            (Err(Other), loopback, ClientUser::Unknown),
            (Err(NotFound), network, ClientUser::NotReported),
            (Err(Other), network, ClientUser::Unknown),
        ] {
            let user = ClientUser::classify(
                found.map_err(io::Error::from),
                OWN,
                gateway.parse().unwrap(),
            );
            assert_eq!(user, expected, "{found:?} on {gateway}");
        }
    }

    #[test]
    fn trusts_only_local_clients() {
        for (address, user, expected) in [
            ("127.0.0.1", ClientUser::Trusted, true),
            ("127.0.0.1", ClientUser::NotReported, true),
            ("127.0.0.1", ClientUser::Unknown, false),
            ("::1", ClientUser::Another(1001), false),
            ("192.168.1.5", ClientUser::Trusted, false),
        ] {
            let peer = Peer {
                address: address.parse().unwrap(),
                port: 7678,
                listener: ListenerKind::Http,
                user,
            };
            assert_eq!(peer.is_trusted(), expected, "{address} {user:?}");
        }
    }
}
