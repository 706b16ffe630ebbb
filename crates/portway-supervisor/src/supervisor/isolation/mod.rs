//! The network of an isolated instance: which of its ports are reachable from outside, and which ports of
//! the host are reachable inside.

mod observed;
mod published;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::time::Duration;

use portway_api::{NetworkStatus, NoticeLevel};
use portway_isolation::{Forward, Network};
use portway_ports::{Families, Hold, Listener, Protocol, find_owner};
use portway_project::AssignedPorts;

use super::Supervisor;
use crate::keeper::Namespace;
use crate::ownership::Listeners;
use crate::process::descendants;
use observed::Observed;
use published::Published;

/// A service that listens only on another port than the expected one for this long uses that one. Many
/// servers open a port for their debugger first.
const OBSERVATION_DELAY: Duration = Duration::from_secs(2);
/// How long the first prepare step waits for the way out to other machines, which takes some milliseconds.
const OUTBOUND_TIMEOUT: Duration = Duration::from_secs(2);

const LOOPBACK: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// The network of an instance and the ports that its services are expected to use inside.
pub struct InstanceNetwork {
    /// The network.
    pub network: Network,
    /// The ports inside.
    pub ports: AssignedPorts,
    /// Whether another instance has created it. That one makes ports of the host reachable inside.
    pub is_shared: bool,
}

/// The network of the instance while it runs.
pub(super) struct Isolation {
    network: Network,
    /// The ports inside: the expected ones, or those that were observed instead.
    inner: AssignedPorts,
    /// What passes connections to each running service.
    opened: HashMap<String, Vec<Forward>>,
    published: Published,
    observed: Observed,
    is_shared: bool,
}

impl Isolation {
    pub(super) fn new(network: InstanceNetwork) -> Self {
        Self {
            network: network.network,
            inner: network.ports,
            opened: HashMap::new(),
            published: Published::default(),
            observed: Observed::default(),
            is_shared: network.is_shared,
        }
    }

    /// Reads the sockets inside.
    pub(super) fn listeners(&self) -> io::Result<Listeners> {
        Ok(Listeners::from_sockets(self.network.sockets()?))
    }

    /// Opens the namespace for a process that is about to start.
    pub(super) fn namespace(&self) -> io::Result<Namespace> {
        self.network.namespace().try_clone()
    }

    /// Opens the socket of a service that gets one from Portway.
    pub(super) fn listening_socket(&self, name: &str) -> io::Result<TcpListener> {
        let port = self.inner.of(name).first().copied().unwrap_or(0);
        let socket = self.network.listen((Ipv4Addr::LOCALHOST, port).into())?;
        socket.set_nonblocking(false)?;
        Ok(socket)
    }
}

impl Supervisor {
    /// Returns the network of the instance if the service is in it.
    pub(super) fn network_of(&self, name: &str) -> Option<&Isolation> {
        let is_inside = self.services.get(name).is_some_and(|s| !s.plan.on_host);
        self.isolation.as_ref().filter(|_| is_inside)
    }

    /// Returns the ports on which a service is expected to listen.
    pub(super) fn listening_ports(&self, name: &str) -> &[u16] {
        match self.network_of(name) {
            Some(isolation) => isolation.inner.of(name),
            None => self.config.ports.of(name),
        }
    }

    /// Expects the services of a new plan on their ports inside. Those that keep running stay where they
    /// are.
    pub(super) fn expect_inner_ports(&mut self) {
        let Some(isolation) = &mut self.isolation else {
            return;
        };
        let mut inner = self.config.plan.inner_ports();
        for name in isolation.opened.keys() {
            let planned = inner.0.get_mut(name);
            let current = isolation.inner.0.get(name);
            if let (Some(planned), Some(current)) = (planned, current)
                && planned.len() == current.len()
            {
                planned.clone_from(current);
            }
        }
        isolation.inner = inner;
        isolation.published.poll_now();
    }

    /// Returns the status of the network.
    pub(super) fn network_status(&self) -> Option<NetworkStatus> {
        let isolation = self.isolation.as_ref()?;
        Some(NetworkStatus {
            pid: isolation.network.helper(),
        })
    }

    /// Returns the port of a service inside, if it is there.
    pub(super) fn inner_port(&self, name: &str, index: usize) -> Option<u16> {
        self.network_of(name)?.inner.of(name).get(index).copied()
    }

    /// Waits until programs inside reach other machines, which installing packages needs.
    pub(super) fn await_outbound(&mut self, name: &str) {
        let Some(isolation) = self.network_of(name) else {
            return;
        };
        match isolation.network.wait_for_outbound(OUTBOUND_TIMEOUT) {
            Ok(true) => {}
            Ok(false) => {
                let text = "the network of this checkout has no way out to other machines yet";
                self.notify(name, NoticeLevel::Warning, text);
            }
            Err(error) => {
                let text = format!("the network of this checkout does not respond: {error}");
                self.notify(name, NoticeLevel::Warning, &text);
            }
        }
    }

    /// Passes connections to the ports of a service that listens inside, until
    /// [`close_ports`](Self::close_ports). Its ports on the host also work inside.
    pub(super) fn open_ports(&mut self, name: &str) {
        let is_open = self
            .isolation
            .as_ref()
            .is_some_and(|i| i.opened.contains_key(name));
        if is_open || self.network_of(name).is_none() {
            return;
        }
        let holds = self.holds_of(name);
        let (Some(service), Some(isolation)) = (self.services.get(name), &mut self.isolation)
        else {
            return;
        };
        let inner = isolation.inner.of(name).to_vec();
        let mut forwards = Vec::new();
        let mut failed = None;
        for ((planned, hold), inner) in service.plan.ports.iter().zip(&holds).zip(inner) {
            let opened = match planned.protocol {
                Protocol::Tcp => open_tcp(&isolation.network, hold, inner),
                Protocol::Udp => open_udp(&isolation.network, hold, inner),
            };
            match opened {
                Ok(opened) => forwards.extend(opened),
                Err(error) => failed = Some((hold.port(), error)),
            }
            if planned.protocol == Protocol::Tcp && hold.port() != inner {
                isolation
                    .published
                    .open(&isolation.network, hold.port(), hold.port());
            }
        }
        isolation.opened.insert(name.to_owned(), forwards);
        isolation.published.resume(name);
        if let Some((port, error)) = failed {
            let text = format!("port {port} cannot be passed on to it: {error}");
            self.notify(name, NoticeLevel::Error, &text);
        }
    }

    /// Passes no connections to a service any more.
    pub(super) fn close_ports(&mut self, name: &str) {
        let ports = self.config.ports.of(name).to_vec();
        let Some(isolation) = &mut self.isolation else {
            return;
        };
        isolation.observed.close(name);
        isolation.published.resume(name);
        if isolation.opened.remove(name).is_some() {
            for port in ports {
                isolation.published.close(port);
            }
        }
    }

    /// Takes a port that a service opened inside for its main port, if it does not open the expected one.
    pub(super) fn observe_port(&mut self, name: &str, listeners: &Listeners, keeper: u32) {
        let Some(service) = self.services.get(name) else {
            return;
        };
        if service.started.elapsed() < OBSERVATION_DELAY || service.plan.ports.is_empty() {
            return;
        }
        let Some(isolation) = &mut self.isolation else {
            return;
        };
        let tree: Vec<u32> = descendants(keeper).iter().map(|one| one.pid).collect();
        let is_own =
            |one: &Listener| matches!(find_owner(tree.iter().copied(), one.socket), Ok(Some(_)));
        let others: HashSet<u16> = isolation.inner.0.values().flatten().copied().collect();
        let mut seen: Vec<u16> = listeners
            .tcp()
            .filter(|(port, _)| !others.contains(port) && !DEBUGGERS.contains(port))
            .filter(|(_, listeners)| listeners.iter().any(is_own))
            .map(|(port, _)| *port)
            .collect();
        seen.sort_unstable();
        let (Some(&port), Some(inner)) = (seen.first(), isolation.inner.0.get_mut(name)) else {
            return;
        };
        let Some(main) = inner.first_mut() else {
            return;
        };
        let expected = std::mem::replace(main, port);
        let text = format!("listens on port {port} of its network instead of {expected}");
        self.notify(name, NoticeLevel::Info, &text);
    }
}

/// Ports that runtimes open for debuggers and reloaders, which are not what a service serves.
const DEBUGGERS: [u16; 6] = [9229, 9230, 5678, 5005, 24678, 35729];

fn open_tcp(network: &Network, hold: &Hold, inner: u16) -> io::Result<Vec<Forward>> {
    let mut forwards = Vec::new();
    for address in LOOPBACK {
        match hold.listen_beside(address) {
            Ok(listener) => forwards.push(network.forward_tcp(listener, inner)?),
            // A machine may have no IPv6.
            Err(_) if address.is_ipv6() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(forwards)
}

fn open_udp(network: &Network, hold: &Hold, inner: u16) -> io::Result<Vec<Forward>> {
    hold.release();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, hold.port()))?;
    hold.settle(Families {
        v4: true,
        v6: false,
    })?;
    Ok(vec![network.forward_udp(socket, inner)?])
}
