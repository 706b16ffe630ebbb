//! Exact requests to the kernel by netlink `sock_diag`: it looks a socket up instead of walking its table.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, InetResponseHeader, SocketId, StateFlags,
};
use netlink_sys::Socket as Netlink;
use rustix::io::Errno;

use super::netlink;

/// The maximum size of a response. The kernel sends one socket, or an error that repeats the
/// request.
const RESPONSE_SIZE: usize = 4096;

/// The state of a listening socket in a response: `TCP_LISTEN` of the kernel.
const LISTEN: u8 = 10;

/// The users at the other end of TCP connections. The socket for requests stays open: a process without free
/// descriptors can still ask.
#[derive(Debug)]
pub(crate) struct ConnectionUsers(Mutex<Requests>);

impl ConnectionUsers {
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self(Mutex::new(Requests::open()?)))
    }

    pub(crate) fn find(&self, client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = requests.find(client, server)?;
        owner(&socket.header, client.port(), server.port())
            .map(Some)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The listening TCP sockets that get the connections to `localhost`.
#[derive(Debug)]
pub(crate) struct LocalhostSockets {
    requests: Requests,
    /// The port that the next imaginary client has. No client can have one of these.
    client_port: u16,
}

impl LocalhostSockets {
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self {
            requests: Requests::open()?,
            client_port: 0,
        })
    }

    pub(crate) fn find(&mut self, port: u16) -> io::Result<[Option<u64>; 2]> {
        // Sockets that share a port share its clients by their addresses.
        self.client_port = (self.client_port + 1) % 16;
        let mut on = |address: IpAddr| -> io::Result<Option<u64>> {
            let server = SocketAddr::new(address, port);
            let client = SocketAddr::new(address, self.client_port);
            match self.requests.find(server, client) {
                Ok(socket) if socket.header.state == LISTEN => {
                    Ok(Some(u64::from(socket.header.inode)))
                }
                Ok(_) => Err(io::ErrorKind::InvalidData.into()),
                Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => Ok(None),
                Err(error) => Err(error),
            }
        };
        Ok([
            on(Ipv4Addr::LOCALHOST.into())?,
            on(Ipv6Addr::LOCALHOST.into())?,
        ])
    }
}

#[derive(Debug)]
struct Requests {
    netlink: Netlink,
    /// The number of the last request.
    sequence: u32,
}

impl Requests {
    fn open() -> io::Result<Self> {
        let netlink = netlink::open()?;
        // The kernel has responded when `send` returns.
        netlink.set_non_blocking(true)?;
        Ok(Self {
            netlink,
            sequence: 0,
        })
    }

    /// Returns the socket with the address `local` whose other end is `remote`, or the one that listens on
    /// `local`.
    fn find(&mut self, local: SocketAddr, remote: SocketAddr) -> io::Result<InetResponse> {
        let (family, socket_id) = match local {
            SocketAddr::V4(_) => (AF_INET, SocketId::new_v4()),
            SocketAddr::V6(_) => (AF_INET6, SocketId::new_v6()),
        };
        let request = InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::empty(),
            states: StateFlags::all(),
            socket_id: SocketId {
                source_port: local.port(),
                destination_port: remote.port(),
                source_address: local.ip(),
                destination_address: remote.ip(),
                // `INET_DIAG_NOCOOKIE`: any socket with these addresses.
                cookie: [0xff; 8],
                ..socket_id
            },
        };
        self.sequence = self.sequence.wrapping_add(1);
        // Without `NLM_F_DUMP` the kernel looks the socket up instead of walking its table.
        netlink::send(&self.netlink, NLM_F_REQUEST, self.sequence, request)?;
        let mut response = Vec::with_capacity(RESPONSE_SIZE);
        loop {
            response.clear();
            self.netlink.recv(&mut response, 0)?;
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(&response)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            // The response to an earlier request that could not be read.
            if message.header.sequence_number != self.sequence {
                continue;
            }
            return match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(socket)) => Ok(*socket),
                NetlinkPayload::Error(error) => Err(error.to_io()),
                _ => Err(io::ErrorKind::InvalidData.into()),
            };
        }
    }
}

/// Returns the user of a connection's socket. `None` if it is another socket, or has no owner.
fn owner(socket: &InetResponseHeader, client_port: u16, server_port: u16) -> Option<u32> {
    let id = &socket.socket_id;
    // If there is no such connection, the kernel may report a listener instead.
    let is_connection = (id.source_port, id.destination_port) == (client_port, server_port);
    // A socket that its process has closed has no inode, and the kernel reports root as its user.
    (is_connection && socket.inode != 0).then_some(socket.uid)
}
