//! Services on the local network: listening sockets on its addresses, and announcements.

mod announcer;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portway_api::Event;
use portway_lan::{Announcement, Forward, Forwarder};
use portway_ports::{Hold, HoldError, Listener};
use tokio::sync::broadcast;

use announcer::Announcer;

/// How often the machine's addresses are read again.
const ADDRESS_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The services that an instance offers on the local network.
#[derive(Clone, Debug)]
pub struct LanConfig {
    /// The names of the services. All of them speak HTTP.
    pub services: Vec<String>,
    /// The host name to announce, without `.local`.
    pub host: String,
    /// The instance's name.
    pub instance: String,
    /// The project's name.
    pub project: String,
}

/// Whether a service is available on the local network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Availability {
    /// It is reachable and announced.
    Available,
    /// It is not reachable, and stays announced if it was.
    Interrupted,
    /// It is neither reachable nor announced.
    Unavailable,
}

/// A service with its availability.
pub(crate) struct LanService {
    pub(crate) name: String,
    /// The hold of the main port.
    pub(crate) hold: Arc<Hold>,
    pub(crate) availability: Availability,
}

/// How connections to one address reach a service.
enum Route {
    /// The supervisor listens and forwards connections to loopback. Dropping it closes the socket.
    Forwarded { _forward: Forward },
    /// The service itself listens on the address.
    Direct,
    /// Another process listens, or the system refuses.
    Unreachable,
}

/// A service, its port and an address.
type Endpoint = (String, u16, Ipv4Addr);

/// The sockets and announcements of an instance on the local network. Dropping it closes the
/// sockets and withdraws the announcements.
pub(crate) struct Lan {
    config: LanConfig,
    forwarder: Forwarder,
    announcer: Announcer,
    addresses: Vec<Ipv4Addr>,
    last_poll: Option<Instant>,
    routes: BTreeMap<Endpoint, Route>,
    announced: Vec<Announcement>,
}

impl Lan {
    /// Creates the state without any socket or announcement.
    ///
    /// # Errors
    /// When the forwarder cannot be created.
    pub(crate) fn new(config: LanConfig, events: broadcast::Sender<Event>) -> io::Result<Self> {
        Ok(Self {
            config,
            forwarder: Forwarder::new()?,
            announcer: Announcer::new(events),
            addresses: Vec::new(),
            last_poll: None,
            routes: BTreeMap::new(),
            announced: Vec::new(),
        })
    }

    /// Replaces the services that are offered.
    pub(crate) fn set_services(&mut self, services: Vec<String>) {
        self.config.services = services;
    }

    /// Opens, closes and announces sockets according to the availability of `services`. Returns
    /// the new problems: the service and a message.
    pub(crate) fn update(&mut self, services: &[LanService]) -> Vec<(String, String)> {
        self.poll_addresses();
        let is_configured = |service: &&LanService| self.config.services.contains(&service.name);
        let services: Vec<&LanService> = services.iter().filter(is_configured).collect();
        let wanted: Vec<(&LanService, Endpoint)> = services
            .iter()
            .filter(|service| service.availability == Availability::Available)
            .flat_map(|service| {
                let endpoint = |&address| (service.name.clone(), service.hold.port(), address);
                self.addresses
                    .iter()
                    .map(move |address| (*service, endpoint(address)))
            })
            .collect();
        self.routes
            .retain(|endpoint, _| wanted.iter().any(|(_, wanted)| wanted == endpoint));
        let mut problems = Vec::new();
        for (service, endpoint) in wanted {
            if self.routes.contains_key(&endpoint) {
                continue;
            }
            let (_, port, address) = endpoint;
            let route = self.open(&service.hold, address).unwrap_or_else(|error| {
                let text = format!("cannot be reached on {address}:{port}: {error}");
                problems.push((service.name.clone(), text));
                Route::Unreachable
            });
            self.routes.insert(endpoint, route);
        }
        self.announce(&services);
        problems
    }

    /// Closes the sockets of a service whose hold is being restored.
    pub(crate) fn close(&mut self, service: &str) {
        self.routes.retain(|(name, ..), _| name != service);
    }

    fn poll_addresses(&mut self) {
        let is_recent = |poll: Instant| poll.elapsed() < ADDRESS_POLL_INTERVAL;
        if self.last_poll.is_some_and(is_recent) {
            return;
        }
        self.last_poll = Some(Instant::now());
        self.addresses = portway_lan::local_addresses();
        // The service may have closed its own socket, so direct routes are checked again.
        self.routes
            .retain(|_, route| !matches!(route, Route::Direct));
    }

    fn open(&self, hold: &Hold, address: Ipv4Addr) -> io::Result<Route> {
        let listener = match hold.listen_beside(IpAddr::V4(address)) {
            Err(error @ HoldError::InUse(_)) => {
                // The ownership check verifies that the socket belongs to the service.
                let listeners = portway_ports::listeners(hold.port())?;
                let accepts = |listener: &Listener| {
                    listener.address == address || listener.address.is_unspecified()
                };
                return match listeners.iter().any(accepts) {
                    true => Ok(Route::Direct),
                    false => Err(error.into()),
                };
            }
            other => other?,
        };
        listener.set_nonblocking(true)?;
        let forward = self.forwarder.serve(listener)?;
        Ok(Route::Forwarded { _forward: forward })
    }

    /// Announces available services, and keeps the announcements of interrupted ones.
    fn announce(&mut self, services: &[&LanService]) {
        let announcements = services
            .iter()
            .filter_map(|service| match service.availability {
                Availability::Available => self.announcement(service),
                Availability::Interrupted => {
                    let is_same = |announced: &&Announcement| announced.service == service.name;
                    self.announced.iter().find(is_same).cloned()
                }
                Availability::Unavailable => None,
            });
        let announcements: Vec<Announcement> = announcements.collect();
        if announcements != self.announced {
            self.announcer.announce(announcements.clone());
            self.announced = announcements;
        }
    }

    fn announcement(&self, service: &LanService) -> Option<Announcement> {
        let endpoints = self.endpoints(&service.name);
        let addresses: Vec<Ipv4Addr> = endpoints.map(|(_, address)| address).collect();
        if addresses.is_empty() {
            return None;
        }
        Some(Announcement {
            service: service.name.clone(),
            instance: self.config.instance.clone(),
            project: self.config.project.clone(),
            host: self.config.host.clone(),
            addresses,
            port: service.hold.port(),
        })
    }

    /// Returns the ports and addresses at which a service is reachable.
    fn endpoints(&self, service: &str) -> impl Iterator<Item = (u16, Ipv4Addr)> {
        self.routes
            .iter()
            .filter(move |((name, ..), route)| {
                name == service && !matches!(route, Route::Unreachable)
            })
            .map(|(&(_, port, address), _)| (port, address))
    }

    /// Returns the URLs of a service on the local network.
    pub(crate) fn urls(&self, service: &str) -> Vec<String> {
        self.endpoints(service)
            .map(|(port, address)| format!("http://{address}:{port}"))
            .collect()
    }

    /// Returns whether `listener` is a socket of this supervisor.
    pub(crate) fn owns(&self, listener: &Listener) -> bool {
        self.routes.iter().any(|((_, port, address), route)| {
            matches!(route, Route::Forwarded { .. })
                && *port == listener.port
                && listener.address == *address
        })
    }
}
