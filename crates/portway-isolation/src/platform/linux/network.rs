//! The creator's side of a network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use portway_ports::{Listener, NamespaceSockets, PortOwner};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketType, bind, connect, listen, recv};

pub(crate) use super::relay::Forward;

use super::control::{self, Request, SocketKind, socket_kind};
use super::namespace::Namespace;
use super::relay::{Relay, Route, Side, Source};
use super::start;
use crate::network::{NetworkConfig, NetworkError};

/// How long a request waits for a helper that is being restarted.
const HELPER_TIMEOUT: Duration = Duration::from_secs(2);

/// The protocol of netlink for sockets (`NETLINK_SOCK_DIAG`) and for routes (`NETLINK_ROUTE`).
const SOCK_DIAG: u8 = 4;
const ROUTE: u8 = 0;

/// The groups of netlink that report new routes of both families: `RTMGRP_IPV4_ROUTE` and
/// `RTMGRP_IPV6_ROUTE`.
const ROUTE_GROUPS: u32 = 0x40 | 0x400;

/// The number of clients that wait to be accepted.
const BACKLOG: i32 = 1024;

/// The port of name servers.
const DNS: u16 = 53;

#[derive(Debug)]
pub(crate) struct Network {
    // The fields are dropped in this order.
    _name_servers: Vec<Forward>,
    relay: Relay,
    namespace: Namespace,
    has_outbound: bool,
}

impl Network {
    pub(crate) fn create(config: NetworkConfig) -> Result<Self, NetworkError> {
        let (helper, namespace) = start::create(&config)?;
        let has_outbound = config.outbound.is_some();
        let clone = namespace.try_clone().map_err(NetworkError::Relay)?;
        let relay = Relay::start(config, helper, clone).map_err(NetworkError::Relay)?;
        let mut network = Self {
            _name_servers: Vec::new(),
            relay,
            namespace,
            has_outbound,
        };
        if has_outbound {
            network.publish_name_servers();
        }
        Ok(network)
    }

    pub(crate) fn join(
        mut config: NetworkConfig,
        namespace: &Namespace,
    ) -> Result<Self, NetworkError> {
        config.outbound = None;
        let helper = start::join(&config, namespace)?;
        let clone = || namespace.try_clone().map_err(NetworkError::Relay);
        let relay = Relay::start(config, helper, clone()?).map_err(NetworkError::Relay)?;
        Ok(Self {
            _name_servers: Vec::new(),
            relay,
            namespace: clone()?,
            has_outbound: false,
        })
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(crate) fn forward_tcp(&self, listener: TcpListener, port: u16) -> io::Result<Forward> {
        let route = Route::new(Side::Inside, loopback(port));
        self.relay.add(Source::Tcp(listener), route)
    }

    pub(crate) fn forward_udp(&self, socket: UdpSocket, port: u16) -> io::Result<Forward> {
        let route = Route::new(Side::Inside, loopback(port));
        self.relay.add(Source::Udp(socket), route)
    }

    pub(crate) fn publish_tcp(
        &self,
        listener: TcpListener,
        targets: Vec<SocketAddr>,
    ) -> io::Result<Forward> {
        let route = Route::new(Side::Outside, targets);
        self.relay.add(Source::Tcp(listener), route)
    }

    pub(crate) fn publish_udp(
        &self,
        socket: UdpSocket,
        targets: Vec<SocketAddr>,
    ) -> io::Result<Forward> {
        let route = Route::new(Side::Outside, targets);
        self.relay.add(Source::Udp(socket), route)
    }

    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = self.socket(socket_kind(address, SocketType::STREAM))?;
        rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
        only_own_family(&socket, address)?;
        bind(&socket, &address)?;
        listen(&socket, BACKLOG)?;
        ioctl_fionbio(&socket, false)?;
        Ok(socket.into())
    }

    pub(crate) fn bind_udp(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        let socket = self.socket(socket_kind(address, SocketType::DGRAM))?;
        only_own_family(&socket, address)?;
        bind(&socket, &address)?;
        ioctl_fionbio(&socket, false)?;
        Ok(socket.into())
    }

    pub(crate) fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.socket(socket_kind(address, SocketType::STREAM))?;
        ioctl_fionbio(&socket, false)?;
        connect(&socket, &address)?;
        Ok(socket.into())
    }

    pub(crate) fn listeners(&self, likely: &[u32]) -> io::Result<Vec<PortOwner>> {
        let socket = self.socket(netlink(SOCK_DIAG))?;
        let mut owners = NamespaceSockets::new(socket)?.owners(likely)?;
        let own = std::process::id();
        let is_own = |owner: &PortOwner| {
            let process = owner.process.as_ref();
            process.is_some_and(|process| process.id.pid == own)
        };
        owners.retain(|owner| !is_own(owner));
        Ok(owners)
    }

    pub(crate) fn sockets(&self) -> io::Result<Vec<Listener>> {
        let socket = self.socket(netlink(SOCK_DIAG))?;
        NamespaceSockets::new(socket)?.sockets()
    }

    pub(crate) fn helper(&self) -> u32 {
        self.relay.shared().helper()
    }

    pub(crate) fn id(&self) -> Option<u64> {
        self.namespace.inode().ok()
    }

    pub(crate) fn wait_for_outbound(&self, timeout: Duration) -> io::Result<bool> {
        if !self.has_outbound {
            return Ok(false);
        }
        let deadline = Instant::now() + timeout;
        // Subscribed before the first check, so that no route is missed.
        let socket = self.socket(netlink(ROUTE))?;
        bind(&socket, &SocketAddrNetlink::new(0, ROUTE_GROUPS))?;
        loop {
            if has_default_route(self.relay.shared().helper()) {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            match poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&left)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            // Only the fact that something changed is relevant.
            while recv(&socket, &mut [0; 4096], RecvFlags::DONTWAIT).is_ok() {}
        }
    }

    /// Creates a socket inside, which does not block.
    fn socket(&self, kind: SocketKind) -> io::Result<OwnedFd> {
        let requests = self.relay.shared().requests(HELPER_TIMEOUT)?;
        // One request at a time, so that each response is the request's own.
        let guard = self.relay.shared().serialize();
        control::send_request(&requests, Request::Sockets(kind, 1), &[])?;
        let response = control::receive_response(&requests, RecvFlags::empty())?;
        drop(guard);
        let sockets = response.map_err(|attempt| io::Error::from_raw_os_error(attempt.error))?;
        let socket = sockets.into_iter().next();
        socket.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Makes the name servers on loopback of this machine reachable inside on the same addresses. Others
    /// are reached through the way out.
    fn publish_name_servers(&mut self) {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        for address in loopback_name_servers(&text) {
            let address = SocketAddr::new(address, DNS);
            let published = self
                .bind_udp(address)
                .and_then(|socket| self.publish_udp(socket, vec![address]))
                .and_then(|udp| {
                    let listener = self.listen(address)?;
                    Ok([udp, self.publish_tcp(listener, vec![address])?])
                });
            match published {
                Ok(forwards) => self._name_servers.extend(forwards),
                Err(error) => tracing::warn!(%error, %address, "cannot relay a name server"),
            }
        }
    }
}

/// Returns the addresses of a port on loopback, in the order in which they are tried.
fn loopback(port: u16) -> Vec<SocketAddr> {
    vec![
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ]
}

fn netlink(protocol: u8) -> SocketKind {
    SocketKind {
        protocol,
        ..SocketKind::new(AddressFamily::NETLINK, SocketType::RAW)
    }
}

/// Makes a socket for `[::]` leave IPv4 to another one.
fn only_own_family(socket: &OwnedFd, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() {
        rustix::net::sockopt::set_ipv6_v6only(socket, true)?;
    }
    Ok(())
}

/// Returns whether there is a default route in the namespace of a process.
fn has_default_route(pid: u32) -> bool {
    let read =
        |name: &str| std::fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
    has_ipv4_default_route(&read("route")) || super::facts::has_default_route(&read("ipv6_route"))
}

/// Evaluates the text of `/proc/net/route`: destination and mask of a default route are 0.
fn has_ipv4_default_route(routes: &str) -> bool {
    routes.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")
    })
}

/// Returns the name servers on loopback, from the text of `resolv.conf`.
fn loopback_name_servers(text: &str) -> Vec<IpAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    let mut servers: Vec<IpAddr> = servers
        .filter_map(|server| server.parse().ok())
        .filter(IpAddr::is_loopback)
        .collect();
    servers.dedup();
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_name_servers_on_loopback_are_published() {
        let text = "# nameserver 127.0.0.9\nnameserver 127.0.0.53\nnameserver 192.0.2.1\n\
                    nameserver ::1\nsearch example\nnameserver\nnameserver x\noptions edns0\n";
        let expected: [IpAddr; 2] = [
            Ipv4Addr::new(127, 0, 0, 53).into(),
            Ipv6Addr::LOCALHOST.into(),
        ];
        assert_eq!(loopback_name_servers(text), expected);
    }

    #[test]
    fn a_default_route_for_ipv4_is_found() {
        let header =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
        let network = "tap0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let default = "tap0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
        assert!(!has_ipv4_default_route(&format!("{header}{network}")));
        assert!(has_ipv4_default_route(&format!(
            "{header}{network}{default}"
        )));
        assert!(!has_ipv4_default_route(""));
    }
}
