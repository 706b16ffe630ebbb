//! TCP sockets, requested from the kernel by netlink `sock_diag`.
//!
//! `/proc/net/tcp` is never read: the kernel walks its whole connection table for it, which takes
//! about 15 ms of CPU time where `sock_diag` takes 0.03 ms.

use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_sys::{Socket as Netlink, SocketAddr as NetlinkAddress, protocols::NETLINK_SOCK_DIAG};
use rustix::io::Errno;

use crate::listener::Listener;
use crate::protocol::Protocol;

/// `TCP_BOUND_INACTIVE` of the kernel: bound and neither listening nor connected. Kernels before
/// 6.8 do not support the state and report no sockets.
const BOUND_INACTIVE: u32 = 1 << 13;

/// The size of a receive buffer. The kernel fills at most 32 KiB per message.
const MESSAGE_SIZE: usize = 32 * 1024;

/// Returns whether a socket in any state but TIME_WAIT has the local port `port`.
pub(crate) fn has_active_sockets(port: u16) -> io::Result<bool> {
    let active = StateFlags::all() - StateFlags::TIME_WAIT;
    Ok(!dump(Protocol::Tcp, active, Some(port))?.is_empty())
}

pub(crate) fn listeners(port: Option<u16>) -> io::Result<Vec<Listener>> {
    let found = dump(Protocol::Tcp, StateFlags::LISTEN, port)?;
    Ok(with_protocol(Protocol::Tcp, found))
}

/// Returns the UDP sockets that are bound and not connected. The kernel reports them as closed.
pub(crate) fn udp_sockets() -> io::Result<Vec<Listener>> {
    let found = dump(Protocol::Udp, StateFlags::CLOSE, None)?;
    Ok(with_protocol(Protocol::Udp, found))
}

/// Returns the listening TCP sockets and the unconnected UDP sockets in the namespace of `netlink`.
pub(super) fn all_in_namespace(netlink: &Netlink) -> io::Result<Vec<Listener>> {
    let tcp = dump_from(netlink, Protocol::Tcp, StateFlags::LISTEN, None)?;
    let udp = dump_from(netlink, Protocol::Udp, StateFlags::CLOSE, None)?;
    let mut all = with_protocol(Protocol::Tcp, tcp);
    all.extend(with_protocol(Protocol::Udp, udp));
    Ok(all)
}

pub(crate) fn bound(port: u16) -> io::Result<Vec<Listener>> {
    let inactive = StateFlags::from_bits_retain(BOUND_INACTIVE);
    let found = dump(Protocol::Tcp, inactive, Some(port))?;
    Ok(with_protocol(Protocol::Tcp, found))
}

fn with_protocol(protocol: Protocol, found: Vec<InetResponse>) -> Vec<Listener> {
    let found = found.into_iter();
    found.map(|socket| listener(protocol, &socket)).collect()
}

fn listener(protocol: Protocol, socket: &InetResponse) -> Listener {
    let only_v6 = socket
        .nlas
        .iter()
        .any(|attribute| matches!(attribute, Nla::SkV6Only(true)));
    Listener {
        protocol,
        only_v6,
        address: socket.header.socket_id.source_address,
        port: socket.header.socket_id.source_port,
        user: Some(socket.header.uid),
        socket: u64::from(socket.header.inode),
    }
}

/// Opens a socket for requests.
pub(super) fn open() -> io::Result<Netlink> {
    prepare(Netlink::new(NETLINK_SOCK_DIAG)?)
}

/// Binds a new socket for requests to the kernel.
pub(super) fn prepare(mut netlink: Netlink) -> io::Result<Netlink> {
    netlink.bind_auto()?;
    netlink.connect(&NetlinkAddress::new(0, 0))?;
    Ok(netlink)
}

/// Sends a request. The kernel repeats `sequence` in its response.
pub(super) fn send(
    netlink: &Netlink,
    flags: u16,
    sequence: u32,
    request: InetRequest,
) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut packet = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    packet.finalize();
    let mut bytes = vec![0; packet.buffer_len()];
    packet.serialize(&mut bytes);
    netlink.send(&bytes, 0)?;
    Ok(())
}

/// Returns the sockets in `states` with the local port `port`, or with any port.
fn dump(
    protocol: Protocol,
    states: StateFlags,
    port: Option<u16>,
) -> io::Result<Vec<InetResponse>> {
    dump_from(&open()?, protocol, states, port)
}

/// Returns the same as [`dump`] from the namespace of a socket for requests.
fn dump_from(
    netlink: &Netlink,
    protocol: Protocol,
    states: StateFlags,
    port: Option<u16>,
) -> io::Result<Vec<InetResponse>> {
    let mut found = Vec::new();
    for (family, mut socket_id) in [
        (AF_INET, SocketId::new_v4()),
        (AF_INET6, SocketId::new_v6()),
    ] {
        socket_id.source_port = port.unwrap_or(0);
        let request = InetRequest {
            family,
            protocol: match protocol {
                Protocol::Tcp => IPPROTO_TCP,
                Protocol::Udp => IPPROTO_UDP,
            },
            extensions: ExtensionFlags::empty(),
            states: states.clone(),
            socket_id,
        };
        send(netlink, NLM_F_REQUEST | NLM_F_DUMP, 0, request)?;
        read_dump(netlink, &mut found)?;
    }
    // The kernel filters by port; this guards against a kernel that does not.
    found.retain(|socket| port.is_none_or(|port| socket.header.socket_id.source_port == port));
    Ok(found)
}

/// Reads the response to one request for a dump.
fn read_dump(netlink: &Netlink, found: &mut Vec<InetResponse>) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(MESSAGE_SIZE);
    loop {
        buffer.clear();
        netlink.recv(&mut buffer, 0)?;
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let length = message.header.length as usize;
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(socket)) => {
                    found.push(*socket);
                }
                NetlinkPayload::Done(_) => return Ok(()),
                // The kernel was built without this address family.
                NetlinkPayload::Error(error)
                    if error.raw_code() == -Errno::NOENT.raw_os_error() =>
                {
                    return Ok(());
                }
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            // Messages are aligned to four bytes.
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            if length == 0 {
                break;
            }
        }
    }
}
