//! The sockets that get the connections to `localhost`.

use std::io;

use crate::platform;

/// Finds the listening TCP sockets that get the connections to `localhost`.
///
/// A request takes some microseconds, however many sockets the machine has. It needs no file descriptor once
/// this value is open. Only Linux can answer it.
#[derive(Debug)]
pub struct LocalhostSockets(platform::LocalhostSockets);

impl LocalhostSockets {
    /// Opens the connection to the system.
    ///
    /// # Errors
    /// If the system does not permit it, or no file descriptor is free; on macOS and Windows always.
    pub fn open() -> io::Result<Self> {
        platform::LocalhostSockets::open().map(Self)
    }

    /// Returns the sockets that get a connection to `port` of 127.0.0.1 and of ::1, as in
    /// [`Listener::socket`](crate::Listener::socket); `None` if no socket does. If several sockets share the
    /// port, it is one of them, and the next call may return another.
    ///
    /// # Errors
    /// If the system does not answer.
    pub fn find(&mut self, port: u16) -> io::Result<[Option<u64>; 2]> {
        self.0.find(port)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::collections::HashSet;
    use std::net::TcpListener;

    use rustix::net::{AddressFamily, SocketType, bind, listen, socket, sockopt};

    use super::*;

    #[test]
    fn finds_the_socket_that_gets_connections() {
        let mut sockets = LocalhostSockets::open().unwrap();
        for (address, families) in [
            ("127.0.0.1:0", [true, false]),
            ("[::1]:0", [false, true]),
            ("0.0.0.0:0", [true, false]),
            // Of both families.
            ("[::]:0", [true, true]),
            // Gets no connection to `localhost`.
            ("127.0.0.2:0", [false, false]),
        ] {
            let listener = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let own = crate::listeners(port).unwrap()[0].socket;
            let expected = families.map(|gets| gets.then_some(own));
            assert_eq!(sockets.find(port).unwrap(), expected, "{address}");
            drop(listener);
            assert_eq!(sockets.find(port).unwrap(), [None, None], "{address}");
        }
    }

    #[test]
    fn sockets_that_share_a_port_are_all_found() {
        let shared = |port: u16| {
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
            sockopt::set_socket_reuseport(&socket, true).unwrap();
            bind(
                &socket,
                &std::net::SocketAddrV4::new([127, 0, 0, 1].into(), port),
            )
            .unwrap();
            listen(&socket, 8).unwrap();
            TcpListener::from(socket)
        };
        let first = shared(0);
        let port = first.local_addr().unwrap().port();
        let _second = shared(port);
        let listeners = crate::listeners(port).unwrap();
        let expected: HashSet<u64> = listeners.iter().map(|one| one.socket).collect();
        let mut sockets = LocalhostSockets::open().unwrap();
        let find = |_| sockets.find(port).unwrap()[0].unwrap();
        let found: HashSet<u64> = (0..64).map(find).collect();
        assert_eq!(found, expected);
    }
}
