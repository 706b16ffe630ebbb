//! Serving on the local network: sockets on its addresses, and a herald that tells of them.

mod herald;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portway_api::Event;
use portway_lan::{Announcement, Forward, Forwarder};
use portway_ports::{Hold, HoldError, Listener};
use tokio::sync::broadcast;

use herald::Herald;

/// How often it is looked whether the machine has other addresses by now.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What an instance serves on the local network.
#[derive(Clone, Debug)]
pub struct LanConfig {
    /// The services, by name; all speak HTTP.
    pub services: Vec<String>,
    /// The host under which they are announced, without `.local`.
    pub host: String,
    /// The instance's name.
    pub instance: String,
    /// The project's name.
    pub project: String,
}

/// What a service is to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is served and announced.
    Serves,
    /// It is not served at the moment, and announced if it was.
    Pauses,
    /// It is neither.
    Gone,
}

/// A service that may be served.
pub(crate) struct Candidate {
    pub(crate) service: String,
    /// The hold of its main port.
    pub(crate) hold: Arc<Hold>,
    pub(crate) presence: Presence,
}

/// How one service is served on one address.
enum Served {
    /// What comes there is passed on to loopback.
    Forwarded { _forward: Forward },
    /// The service listens there itself.
    ByItself,
    /// Somebody else does, or the system refuses.
    Not,
}

/// Everything that one instance serves on the local network. Dropping it ends all of it.
pub(crate) struct Lan {
    config: LanConfig,
    forwarder: Forwarder,
    herald: Herald,
    addresses: Vec<Ipv4Addr>,
    looked: Option<Instant>,
    /// By service, port and address.
    served: BTreeMap<(String, u16, Ipv4Addr), Served>,
    announced: Vec<Announcement>,
}

impl Lan {
    /// Nothing is served yet.
    pub(crate) fn new(config: LanConfig, events: broadcast::Sender<Event>) -> io::Result<Self> {
        Ok(Self {
            config,
            forwarder: Forwarder::new()?,
            herald: Herald::new(events),
            addresses: Vec::new(),
            looked: None,
            served: BTreeMap::new(),
            announced: Vec::new(),
        })
    }

    /// Serves those that are to be served, on all addresses that the machine has now. Answers what
    /// cannot be, by service, in words.
    pub(crate) fn serve(&mut self, candidates: &[Candidate]) -> Vec<(String, String)> {
        self.look();
        let of_lan = |one: &&Candidate| self.config.services.contains(&one.service);
        let candidates: Vec<&Candidate> = candidates.iter().filter(of_lan).collect();
        let wanted: Vec<(&Candidate, (String, u16, Ipv4Addr))> = candidates
            .iter()
            .filter(|one| one.presence == Presence::Serves)
            .flat_map(|one| {
                let key = |&address| (one.service.clone(), one.hold.port(), address);
                self.addresses
                    .iter()
                    .map(move |address| (*one, key(address)))
            })
            .collect();
        self.served
            .retain(|key, _| wanted.iter().any(|(_, wanted)| wanted == key));
        let mut problems = Vec::new();
        for (candidate, key) in wanted {
            if self.served.contains_key(&key) {
                continue;
            }
            let address = key.2;
            let served = self.serve_one(&candidate.hold, address);
            let served = served.unwrap_or_else(|error| {
                let port = candidate.hold.port();
                let text = format!("is not served on {address}:{port}: {error}");
                problems.push((candidate.service.clone(), text));
                Served::Not
            });
            self.served.insert(key, served);
        }
        self.announce(&candidates);
        problems
    }

    /// Closes the sockets of a service whose port is to be held as before.
    pub(crate) fn leave(&mut self, service: &str) {
        self.served.retain(|(name, ..), _| name != service);
    }

    /// Looks at the machine's addresses from time to time.
    fn look(&mut self) {
        if self
            .looked
            .is_some_and(|looked| looked.elapsed() < LOOK_AGAIN)
        {
            return;
        }
        self.looked = Some(Instant::now());
        self.addresses = portway_lan::local_addresses();
        // A service may have closed its own socket there, and bound another.
        self.served
            .retain(|_, served| !matches!(served, Served::ByItself));
    }

    fn serve_one(&self, hold: &Hold, address: Ipv4Addr) -> io::Result<Served> {
        let listener = match hold.listen_beside(IpAddr::V4(address)) {
            Err(error @ HoldError::InUse(_)) => {
                // That it is the service's own is seen to by the ownership check.
                let listeners = portway_ports::listeners(hold.port())?;
                let there = |listener: &Listener| {
                    listener.address == address || listener.address.is_unspecified()
                };
                return listeners
                    .iter()
                    .any(there)
                    .then_some(Served::ByItself)
                    .ok_or(error.into());
            }
            other => other?,
        };
        listener.set_nonblocking(true)?;
        let forward = self.forwarder.serve(listener)?;
        Ok(Served::Forwarded { _forward: forward })
    }

    /// Has announced what is served, and what was and pauses.
    fn announce(&mut self, candidates: &[&Candidate]) {
        let announcements = candidates.iter().filter_map(|one| match one.presence {
            Presence::Serves => self.announcement(one),
            Presence::Pauses => {
                let was = |announced: &&Announcement| announced.service == one.service;
                self.announced.iter().find(was).cloned()
            }
            Presence::Gone => None,
        });
        let announcements: Vec<Announcement> = announcements.collect();
        if announcements != self.announced {
            self.herald.announce(announcements.clone());
            self.announced = announcements;
        }
    }

    fn announcement(&self, candidate: &Candidate) -> Option<Announcement> {
        let addresses: Vec<Ipv4Addr> = self.addresses_of(&candidate.service).collect();
        if addresses.is_empty() {
            return None;
        }
        Some(Announcement {
            service: candidate.service.clone(),
            instance: self.config.instance.clone(),
            project: self.config.project.clone(),
            host: self.config.host.clone(),
            addresses,
            port: candidate.hold.port(),
        })
    }

    fn served_of(&self, service: &str) -> impl Iterator<Item = (u16, Ipv4Addr)> {
        self.served
            .iter()
            .filter(move |((name, ..), served)| name == service && !matches!(served, Served::Not))
            .map(|(&(_, port, address), _)| (port, address))
    }

    fn addresses_of(&self, service: &str) -> impl Iterator<Item = Ipv4Addr> {
        self.served_of(service).map(|(_, address)| address)
    }

    /// Where a service is reached.
    pub(crate) fn urls(&self, service: &str) -> Vec<String> {
        let served = self.served_of(service);
        served
            .map(|(port, address)| format!("http://{address}:{port}"))
            .collect()
    }

    /// Whether a listening socket is one of this instance's own here.
    pub(crate) fn has(&self, listener: &Listener) -> bool {
        self.served.iter().any(|((_, port, address), served)| {
            matches!(served, Served::Forwarded { .. })
                && *port == listener.port
                && listener.address == *address
        })
    }
}
