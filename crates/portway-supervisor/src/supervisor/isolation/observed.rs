//! Ports that services open inside in addition to those of the plan, such as those of a debugger. Each
//! gets a port of the host.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use portway_api::{NoticeLevel, PortStatus};
use portway_isolation::Forward;
use portway_ports::{Hold, find_owner};
use portway_project::wiring;

use super::super::Supervisor;
use super::open_tcp;
use crate::ownership::Listeners;
use crate::process::descendants;

/// The first port that the kernel gives to programs that request none. Such a port has another number at
/// each start.
const FIRST_EPHEMERAL: u16 = 32768;

/// The observed ports of all services.
#[derive(Default)]
pub(super) struct Observed {
    /// By service and number inside. The hold stays when the listener is gone.
    ports: HashMap<String, BTreeMap<u16, ObservedPort>>,
    /// The sockets inside that were examined.
    examined: HashSet<u64>,
}

/// One observed port.
struct ObservedPort {
    hold: Arc<Hold>,
    /// What passes connections on, while the service listens.
    forwards: Vec<Forward>,
}

impl Observed {
    /// Returns the numbers inside and those outside.
    pub(super) fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        let ports = self.ports.values().flatten();
        ports.flat_map(|(&inner, port)| [inner, port.hold.port()])
    }

    /// Passes no connections to a service any more.
    pub(super) fn close(&mut self, service: &str) {
        for port in self
            .ports
            .get_mut(service)
            .into_iter()
            .flat_map(BTreeMap::values_mut)
        {
            port.forwards.clear();
        }
    }

    /// Returns the ports of a service on which it listens, as pairs of the number inside and outside.
    fn open(&self, service: &str) -> Vec<(u16, u16)> {
        let ports = self.ports.get(service).into_iter().flatten();
        let open = ports.filter(|(_, port)| !port.forwards.is_empty());
        open.map(|(&inner, port)| (inner, port.hold.port()))
            .collect()
    }
}

impl Supervisor {
    /// Gives each new listener inside a port of the host, and closes those of listeners that are gone.
    pub(in super::super) fn observe_listeners(&mut self, listeners: &Listeners) {
        let Some(isolation) = &mut self.isolation else {
            return;
        };
        let observed = &mut isolation.observed;
        let sockets: HashSet<u64> = listeners
            .tcp()
            .flat_map(|(_, sockets)| sockets.iter().map(|one| one.socket))
            .collect();
        observed.examined.retain(|socket| sockets.contains(socket));
        let planned: HashSet<u16> = isolation.inner.0.values().flatten().copied().collect();
        let new = listeners.tcp().filter(|(port, sockets)| {
            **port < FIRST_EPHEMERAL
                && !planned.contains(port)
                && !isolation.published.contains(**port)
                && sockets
                    .iter()
                    .any(|one| !observed.examined.contains(&one.socket))
        });
        let new: Vec<(u16, Vec<u64>)> = new
            .map(|(port, sockets)| (*port, sockets.iter().map(|one| one.socket).collect()))
            .collect();
        let gone: Vec<(String, u16)> = observed
            .ports
            .iter()
            .flat_map(|(service, ports)| ports.iter().map(move |(port, one)| (service, *port, one)))
            .filter(|(_, port, one)| {
                !one.forwards.is_empty()
                    && listeners
                        .on((portway_ports::Protocol::Tcp, *port))
                        .is_empty()
            })
            .map(|(service, port, _)| (service.clone(), port))
            .collect();
        for (service, port) in gone {
            self.forget_observed(&service, port);
        }
        if new.is_empty() {
            return;
        }
        let trees: Vec<(String, Vec<u32>)> = self
            .services
            .values()
            .filter(|service| !service.plan.on_host)
            .filter_map(|service| {
                let (keeper, _) = service.keeper.as_ref()?;
                let tree = descendants(keeper.pid())
                    .iter()
                    .map(|one| one.pid)
                    .collect();
                Some((service.plan.name.clone(), tree))
            })
            .collect();
        for (port, sockets) in new {
            let owns = |tree: &[u32]| {
                sockets
                    .iter()
                    .any(|socket| matches!(find_owner(tree.iter().copied(), *socket), Ok(Some(_))))
            };
            let owner = trees.iter().find(|(_, tree)| owns(tree));
            let owner = owner.map(|(service, _)| service.clone());
            // It may still become the port on which the service is ready.
            let is_starting = |name: &String| self.services[name].machine.awaits_listening();
            if owner.as_ref().is_some_and(is_starting) {
                continue;
            }
            if let Some(isolation) = &mut self.isolation {
                isolation.observed.examined.extend(sockets);
            }
            if let Some(service) = owner {
                self.open_observed(&service, port);
            }
        }
    }

    fn open_observed(&mut self, service: &str, inner: u16) {
        let known = self.isolation.as_ref().and_then(|isolation| {
            let port = isolation.observed.ports.get(service)?.get(&inner)?;
            Some(port.hold.clone())
        });
        let hold = match known {
            Some(hold) => Ok(hold),
            None => self.config.host.observe_port(service, inner),
        };
        let Some(isolation) = &mut self.isolation else {
            return;
        };
        let opened = hold.and_then(|hold| {
            let forwards = open_tcp(&isolation.network, &hold, inner)?;
            Ok(ObservedPort { hold, forwards })
        });
        match opened {
            Ok(port) => {
                let number = port.hold.port();
                let ports = isolation
                    .observed
                    .ports
                    .entry(service.to_owned())
                    .or_default();
                ports.insert(inner, port);
                let text = match number == inner {
                    true => format!("also listens on port {inner}"),
                    false => format!(
                        "also listens on port {inner} of its network: {number} on this machine"
                    ),
                };
                self.notify(service, NoticeLevel::Info, &text);
            }
            Err(error) => {
                let text =
                    format!("port {inner} of its network is not reachable from outside: {error}");
                self.notify(service, NoticeLevel::Warning, &text);
            }
        }
    }

    fn forget_observed(&mut self, service: &str, inner: u16) {
        if let Some(isolation) = &mut self.isolation
            && let Some(ports) = isolation.observed.ports.get_mut(service)
            && let Some(port) = ports.get_mut(&inner)
        {
            port.forwards.clear();
        }
        if let Err(error) = self.config.host.forget_observed_port(service, inner) {
            tracing::warn!(service, inner, %error, "cannot remove an observed port");
        }
    }

    /// Returns the status of the ports that a service has opened in addition to those of the plan.
    pub(in super::super) fn observed_ports(&self, name: &str) -> Vec<PortStatus> {
        let (Some(isolation), Some(service)) = (&self.isolation, self.services.get(name)) else {
            return Vec::new();
        };
        let open = isolation.observed.open(name).into_iter();
        open.map(|(inner, port)| PortStatus {
            name: Some(inner.to_string()),
            port,
            inner: Some(inner),
            observed: true,
            url: wiring::url(service.plan.kind, port),
            displaced: None,
            warning: None,
        })
        .collect()
    }
}
