//! Ports of the host that are reachable inside: those of services that stay on the host, on their usual ports,
//! and those of programs that do not belong to Portway.
//!
//! A program inside that wants such a number itself takes precedence.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use portway_isolation::{Forward, Network};
use portway_ports::Listener;

use super::super::Supervisor;
use super::super::output::{ports_in_use, says_address_in_use};
use super::{DEBUGGERS, LOOPBACK};
use crate::mark::{Mark, supervised_services};

/// How often the ports of the host are read that programs inside can reach.
const HOST_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Ports of databases and brokers: PostgreSQL, MySQL, Redis, MongoDB, RabbitMQ, Kafka, Elasticsearch,
/// Memcached, SQL Server. Services call them much more often than they listen there.
const DATABASES: [u16; 9] = [5432, 3306, 6379, 27017, 5672, 9092, 9200, 11211, 1433];

/// The ports of the host that are reachable inside.
#[derive(Default)]
pub(super) struct Published {
    /// By port inside, with the port of the host.
    open: HashMap<u16, (u16, Vec<Forward>)>,
    /// The listeners of the host that were examined, with whether programs inside may reach them.
    examined: HashMap<u64, bool>,
    /// The ports that programs inside want for themselves; `None` before the first poll.
    wanted_inside: Option<HashSet<u16>>,
    /// The service that is starting while the ports of other programs are closed.
    paused_for: Option<String>,
    last_poll: Option<Instant>,
}

impl Published {
    /// Makes a port of the host reachable on a port inside. Does nothing if a program inside uses that
    /// port in any address family, because clients would reach either program.
    pub(super) fn open(&mut self, network: &Network, inner: u16, host: u16) {
        if self.open.get(&inner).is_some_and(|(to, _)| *to == host) {
            return;
        }
        self.open.remove(&inner);
        let targets: Vec<SocketAddr> = LOOPBACK
            .map(|address| SocketAddr::new(address, host))
            .into();
        let mut forwards = Vec::new();
        for address in LOOPBACK {
            match network.listen(SocketAddr::new(address, inner)) {
                Ok(listener) => forwards.extend(network.publish_tcp(listener, targets.clone())),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return,
                // A network may have no IPv6.
                Err(_) => {}
            }
        }
        if !forwards.is_empty() {
            self.open.insert(inner, (host, forwards));
        }
    }

    /// Closes a port inside.
    pub(super) fn close(&mut self, inner: u16) {
        self.open.remove(&inner);
    }

    /// Returns whether connections to this port inside go to the host.
    pub(super) fn contains(&self, inner: u16) -> bool {
        self.open.contains_key(&inner)
    }

    /// Reads the ports of the host at the next opportunity.
    pub(super) fn poll_now(&mut self) {
        self.last_poll = None;
    }

    /// Opens the ports of other programs again, if they were closed for this service.
    pub(super) fn resume(&mut self, service: &str) {
        if self
            .paused_for
            .take_if(|paused| paused == service)
            .is_some()
        {
            self.poll_now();
        }
    }

    /// Returns which of the open ports the last output of a program reports as in use. `None` if it reports
    /// nothing like that, or if it cannot be one of these.
    fn conflict(&self, lines: &[String]) -> Option<BTreeSet<u16>> {
        if !says_address_in_use(lines) {
            return None;
        }
        let named = ports_in_use(lines);
        let taken: BTreeSet<u16> = named
            .iter()
            .copied()
            .filter(|port| self.contains(*port))
            .collect();
        let is_unknown = named.is_empty() && self.open.keys().any(|port| is_pausable(*port));
        (!taken.is_empty() || is_unknown).then_some(taken)
    }

    /// Closes these ports, so that programs inside can use the numbers. If there are none, closes those of
    /// all other programs until the service listens or exits.
    fn withdraw(&mut self, service: &str, ports: &BTreeSet<u16>) {
        if ports.is_empty() {
            self.paused_for = Some(service.to_owned());
            self.open
                .retain(|inner, (host, _)| inner != host || !is_pausable(*inner));
        }
        self.open.retain(|inner, _| !ports.contains(inner));
        self.wanted_inside.get_or_insert_default().extend(ports);
    }
}

/// Whether a port is closed for a program that does not say which port it needs. A service that cannot reach
/// its database fails, too.
fn is_pausable(port: u16) -> bool {
    !DATABASES.contains(&port)
}

impl Supervisor {
    /// Returns the ports of the host that a service in the network of the instance probably needs itself,
    /// from its last output; see [`Published::conflict`].
    pub(in super::super) fn inner_conflict(&self, name: &str) -> Option<BTreeSet<u16>> {
        let isolation = self.network_of(name)?;
        isolation.published.conflict(&self.sink.lock().tail(name))
    }

    /// Closes the ports of the host inside that a service needs itself.
    pub(in super::super) fn withdraw_published(&mut self, name: &str) {
        if let Some(ports) = self.inner_conflict(name)
            && let Some(isolation) = &mut self.isolation
        {
            isolation.published.withdraw(name, &ports);
        }
    }

    /// Makes ports of the host reachable inside.
    pub(in super::super) fn publish_host_ports(&mut self) {
        let Some(isolation) = self.isolation.as_mut().filter(|one| !one.is_shared) else {
            return;
        };
        let published = &mut isolation.published;
        let is_due = |last: Instant| last.elapsed() >= HOST_POLL_INTERVAL;
        if !published.last_poll.is_none_or(is_due) {
            return;
        }
        published.last_poll = Some(Instant::now());
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
        published
            .examined
            .retain(|socket, _| sockets.contains(socket));
        let host = &mut self.config.host;
        let wanted_inside = published.wanted_inside.get_or_insert_with(|| {
            let before = host.ports_observed_before().into_iter();
            before.filter(|port| is_pausable(*port)).collect()
        });
        let own: HashSet<u16> = self
            .config
            .plan
            .usual_ports()
            .into_iter()
            .map(|(port, _)| port)
            .chain(isolation.inner.0.values().flatten().copied())
            .chain(self.config.ports.0.values().flatten().copied())
            .chain(isolation.observed.ports())
            .chain(wanted_inside.iter().copied())
            .chain(DEBUGGERS)
            .collect();
        wanted.retain(|inner, _| !wanted_inside.contains(inner));
        let others: Vec<&Listener> = listeners
            .iter()
            .filter(|one| is_on_loopback(one) && !own.contains(&one.port))
            .filter(|one| published.paused_for.is_none() || !is_pausable(one.port))
            .collect();
        let is_new = |one: &&Listener| !published.examined.contains_key(&one.socket);
        // If the leases are unknown, nothing new becomes reachable.
        if others.iter().any(is_new)
            && let Some(leased) = self.config.host.leased_ports()
        {
            for one in &others {
                let is_foreign = || !leased.contains(&one.port) && !belongs_to_portway(one);
                published
                    .examined
                    .entry(one.socket)
                    .or_insert_with(is_foreign);
            }
        }
        for one in others {
            if published.examined.get(&one.socket) == Some(&true) {
                wanted.entry(one.port).or_insert(one.port);
            }
        }
        let opened: HashSet<u16> = isolation
            .opened
            .keys()
            .flat_map(|name| self.config.ports.of(name).iter().copied())
            .collect();
        published
            .open
            .retain(|inner, _| wanted.contains_key(inner) || opened.contains(inner));
        for (inner, host) in wanted {
            published.open(&isolation.network, inner, host);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn published(ports: &[u16]) -> Published {
        let open = ports.iter().map(|port| (*port, (*port, Vec::new())));
        Published {
            open: open.collect(),
            ..Published::default()
        }
    }

    fn open(published: &Published) -> BTreeSet<u16> {
        published.open.keys().copied().collect()
    }

    #[test]
    fn a_port_that_a_program_names_is_closed_for_good() {
        let lines = ["Error: listen EADDRINUSE: address already in use 127.0.0.1:7777".to_owned()];
        let mut published = published(&[7777, 6000]);
        let taken = published.conflict(&lines).unwrap();
        assert_eq!(taken, BTreeSet::from([7777]));
        published.withdraw("api", &taken);
        assert_eq!(open(&published), BTreeSet::from([6000]));
        assert_eq!(published.paused_for, None);
        // Another program inside has it now.
        assert_eq!(published.conflict(&lines), None);
    }

    #[test]
    fn without_a_number_all_are_closed_except_databases_until_the_service_listens() {
        let lines = ["OSError: [Errno 98] Address already in use".to_owned()];
        let mut published = published(&[7777, 5432]);
        // A container on another port than the usual one.
        published.open.insert(5672, (5673, Vec::new()));
        let taken = published.conflict(&lines).unwrap();
        assert_eq!(taken, BTreeSet::new());
        published.withdraw("api", &taken);
        assert_eq!(open(&published), BTreeSet::from([5432, 5672]));
        published.resume("web");
        assert_eq!(published.paused_for.as_deref(), Some("api"));
        published.resume("api");
        assert_eq!(published.paused_for, None);
        // There is nothing to close.
        assert_eq!(published.conflict(&lines), None);
    }

    #[test]
    fn other_failures_close_nothing() {
        let published = published(&[7777]);
        for line in ["connection refused: 7777", "no such table"] {
            assert_eq!(published.conflict(&[line.to_owned()]), None);
        }
        assert_eq!(published.conflict(&[]), None);
    }
}
