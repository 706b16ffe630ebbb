//! The users who open connections.

use std::io;
use std::net::SocketAddr;

use crate::platform;

/// Finds the users who opened TCP connections on this machine.
///
/// Requests need no file descriptor once this value is open, so they work even in a process without
/// free descriptors. On Linux, they report connections of the network namespace in which the value
/// was opened.
#[derive(Debug)]
pub struct ConnectionUsers(platform::ConnectionUsers);

impl ConnectionUsers {
    /// Opens the connection to the system.
    ///
    /// # Errors
    /// If the system does not permit it, or no file descriptor is free.
    pub fn open() -> io::Result<Self> {
        platform::ConnectionUsers::open().map(Self)
    }

    /// Returns the number of the user who opened a connection. `client` is the address of the user's
    /// end, `server` that of the other. `None` on systems that do not report users (macOS,
    /// Windows).
    ///
    /// # Errors
    /// If the system does not answer, there is no such connection, or the client has closed its
    /// socket. An error never means that the connection belongs to a certain user.
    pub fn find(&self, client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
        self.0.find(client, server)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{IpAddr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn finds_the_user_of_a_connection() {
        let users = ConnectionUsers::open().unwrap();
        let own = rustix::process::geteuid().as_raw();
        for (address, to) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            // A client that uses an IPv6 socket for IPv4.
            ("127.0.0.1:0", "::ffff:127.0.0.1"),
        ] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let to: IpAddr = to.parse().unwrap();
            let client = TcpStream::connect((to, port)).unwrap();
            let (accepted, from) = listener.accept().unwrap();
            let to = accepted.local_addr().unwrap();
            assert_eq!(users.find(from, to).unwrap(), Some(own), "{address}");
            // Without a connection the listener must not be reported instead.
            drop((client, accepted));
            let unused = SocketAddr::new(from.ip(), 1);
            assert!(users.find(unused, to).is_err(), "{address}");
            assert!(users.find(to, unused).is_err(), "{address}");
            // An error does not affect the next request.
            let client = TcpStream::connect((to.ip(), port)).unwrap();
            let (from, to) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
            assert_eq!(users.find(from, to).unwrap(), Some(own), "{address}");
        }
    }

    #[test]
    fn a_closed_socket_has_no_user() {
        let users = ConnectionUsers::open().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, from) = listener.accept().unwrap();
        let to = accepted.local_addr().unwrap();
        drop(client);
        // The kernel still has the client's half of the connection, and reports root as its user.
        let error = users.find(from, to).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
