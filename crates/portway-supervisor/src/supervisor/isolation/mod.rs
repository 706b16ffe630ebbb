//! The network of an isolated instance: which of its ports are reachable from outside, and which ports of
//! the host are reachable inside.

mod observed;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use portway_api::{NetworkStatus, NoticeLevel};
use portway_isolation::{Forward, Network};
use portway_ports::{Families, Hold, Listener, Protocol, find_owner};
use portway_project::AssignedPorts;

use super::Supervisor;
use crate::keeper::Namespace;
use crate::mark::{Mark, supervised_services};
use crate::ownership::Listeners;
use crate::process::descendants;
use observed::Observed;

/// How often the ports of the host are read that programs inside can reach.
const HOST_POLL_INTERVAL: Duration = Duration::from_secs(2);
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
}

/// The network of the instance while it runs.
pub(super) struct Isolation {
    network: Network,
    /// The ports inside: the expected ones, or those that were observed instead.
    inner: AssignedPorts,
    /// What passes connections to each running service.
    opened: HashMap<String, Vec<Forward>>,
    /// The ports inside whose connections go to a port of the host, with that port.
    published: HashMap<u16, (u16, Vec<Forward>)>,
    /// The listeners of the host that were examined, with whether programs inside may reach them.
    examined: HashMap<u64, bool>,
    last_host_poll: Option<Instant>,
    observed: Observed,
}

impl Isolation {
    pub(super) fn new(network: InstanceNetwork) -> Self {
        Self {
            network: network.network,
            inner: network.ports,
            opened: HashMap::new(),
            published: HashMap::new(),
            examined: HashMap::new(),
            last_host_poll: None,
            observed: Observed::default(),
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

    /// Makes a port of the host reachable on a port inside. Does nothing if a program inside uses that
    /// port.
    fn publish(&mut self, inner: u16, host: u16) {
        if self
            .published
            .get(&inner)
            .is_some_and(|(to, _)| *to == host)
        {
            return;
        }
        self.published.remove(&inner);
        let targets: Vec<SocketAddr> = LOOPBACK
            .map(|address| SocketAddr::new(address, host))
            .into();
        let forwards = LOOPBACK.into_iter().filter_map(|address| {
            let listener = self.network.listen(SocketAddr::new(address, inner)).ok()?;
            self.network.publish_tcp(listener, targets.clone()).ok()
        });
        let forwards: Vec<Forward> = forwards.collect();
        if !forwards.is_empty() {
            self.published.insert(inner, (host, forwards));
        }
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
        isolation.last_host_poll = None;
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
                isolation.publish(hold.port(), hold.port());
            }
        }
        isolation.opened.insert(name.to_owned(), forwards);
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
        if isolation.opened.remove(name).is_some() {
            for port in ports {
                isolation.published.remove(&port);
            }
        }
    }

    /// Makes ports of the host reachable inside: those of services that stay on the host, on their usual
    /// ports, and those of programs that do not belong to Portway.
    pub(super) fn publish_host_ports(&mut self) {
        let Some(isolation) = &mut self.isolation else {
            return;
        };
        let is_due = |last: Instant| last.elapsed() >= HOST_POLL_INTERVAL;
        if !isolation.last_host_poll.is_none_or(is_due) {
            return;
        }
        isolation.last_host_poll = Some(Instant::now());
        let mut wanted: HashMap<u16, u16> = HashMap::new();
        for service in self.services.values().filter(|one| one.plan.on_host) {
            let name = &service.plan.name;
            let host = self.config.ports.of(name);
            for (&inner, &host) in isolation.inner.of(name).iter().zip(host) {
                wanted.insert(host, host);
                wanted.insert(inner, host);
            }
        }
        // A failed reading changes nothing.
        let Ok(listeners) = portway_ports::all_listeners() else {
            return;
        };
        let sockets: HashSet<u64> = listeners.iter().map(|one| one.socket).collect();
        isolation
            .examined
            .retain(|socket, _| sockets.contains(socket));
        let usual = self.config.plan.usual_ports();
        let own: HashSet<u16> = usual
            .into_iter()
            .map(|(port, _)| port)
            .chain(isolation.inner.0.values().flatten().copied())
            .chain(self.config.ports.0.values().flatten().copied())
            .chain(isolation.observed.ports())
            .collect();
        let others: Vec<&Listener> = listeners
            .iter()
            .filter(|one| is_on_loopback(one) && !own.contains(&one.port))
            .collect();
        let is_new = |one: &&Listener| !isolation.examined.contains_key(&one.socket);
        // If the leases are unknown, nothing new becomes reachable.
        if others.iter().any(is_new)
            && let Some(leased) = self.config.host.leased_ports()
        {
            for one in &others {
                let is_foreign = || !leased.contains(&one.port) && !belongs_to_portway(one);
                isolation
                    .examined
                    .entry(one.socket)
                    .or_insert_with(is_foreign);
            }
        }
        for one in others {
            if isolation.examined.get(&one.socket) == Some(&true) {
                wanted.entry(one.port).or_insert(one.port);
            }
        }
        let opened: HashSet<u16> = isolation
            .opened
            .keys()
            .flat_map(|name| self.config.ports.of(name).iter().copied())
            .collect();
        isolation
            .published
            .retain(|inner, _| wanted.contains_key(inner) || opened.contains(inner));
        for (inner, host) in wanted {
            isolation.publish(inner, host);
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

fn is_on_loopback(listener: &Listener) -> bool {
    let address = listener.address.to_canonical();
    address.is_unspecified() || LOOPBACK.contains(&address)
}

/// Whether a socket belongs to a supervisor or to a service of any instance. A socket whose owner is not
/// visible does not: another user or the container engine has opened it. If the system does not tell the
/// owner, the socket counts as Portway's.
fn belongs_to_portway(listener: &Listener) -> bool {
    let Ok(owners) = portway_ports::owners_of_sockets(vec![listener.clone()]) else {
        return true;
    };
    let mut processes = owners.iter().filter_map(|owner| owner.process.as_ref());
    processes.any(|process| {
        let pid = process.id.pid;
        Mark::of(pid).is_some() || !supervised_services(pid).is_empty()
    })
}
