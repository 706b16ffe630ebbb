//! The users at the other end of TCP connections, requested from the kernel by netlink `sock_diag`.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_sys::Socket as Netlink;

use super::netlink;

/// The maximum size of a response. The kernel sends one socket, or an error that repeats the
/// request.
const RESPONSE_SIZE: usize = 4096;

/// A socket for requests, which stays open: a process without free descriptors can still ask.
#[derive(Debug)]
pub(crate) struct ConnectionUsers(Mutex<Requests>);

#[derive(Debug)]
struct Requests {
    netlink: Netlink,
    /// The number of the last request.
    sequence: u32,
}

impl ConnectionUsers {
    pub(crate) fn open() -> io::Result<Self> {
        let netlink = netlink::open()?;
        // The kernel has responded when `send` returns.
        netlink.set_non_blocking(true)?;
        let sequence = 0;
        Ok(Self(Mutex::new(Requests { netlink, sequence })))
    }

    pub(crate) fn find(&self, client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = requests.find(client, server)?;
        owner(&socket.header, client.port(), server.port())
            .map(Some)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Requests {
    fn find(&mut self, client: SocketAddr, server: SocketAddr) -> io::Result<InetResponse> {
        let (family, socket_id) = match client {
            SocketAddr::V4(_) => (AF_INET, SocketId::new_v4()),
            SocketAddr::V6(_) => (AF_INET6, SocketId::new_v6()),
        };
        let request = InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::empty(),
            states: StateFlags::all(),
            socket_id: SocketId {
                source_port: client.port(),
                destination_port: server.port(),
                source_address: client.ip(),
                destination_address: server.ip(),
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
fn owner(
    socket: &netlink_packet_sock_diag::inet::InetResponseHeader,
    client_port: u16,
    server_port: u16,
) -> Option<u32> {
    let id = &socket.socket_id;
    // If there is no such connection, the kernel may report a listener instead.
    let is_connection = (id.source_port, id.destination_port) == (client_port, server_port);
    // A socket that its process has closed has no inode, and the kernel reports root as its user.
    (is_connection && socket.inode != 0).then_some(socket.uid)
}
