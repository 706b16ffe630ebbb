//! The process that is listening on a service's port, and whether it belongs to the service.

use std::collections::BTreeMap;
use std::path::Path;

use portway_api::PortConflict;
use portway_ports::PortOwner;
use portway_project::policy::ListenerOwner;
use portway_project::{Checkout, PlannedService};
use portway_registry::CheckoutState;
use portway_supervisor::mark::{self, Mark};

use super::{InnerPort, Known, Networks, user};

/// A process that is listening on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortOccupant {
    /// Name, pid and directory, as text.
    pub(crate) description: String,
    /// Its relation to the service.
    pub(crate) kind: OccupantKind,
    /// The local addresses.
    pub(crate) addresses: Vec<String>,
}

/// The relation of a process to the service of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OccupantKind {
    /// A process of the service.
    Service,
    /// Started in this checkout, but not by Portway.
    StartedByHand,
    /// A service of another instance.
    OtherInstance,
    /// Any other process.
    Unrelated,
}

impl OccupantKind {
    /// Returns whether it is the service, also if it was started by hand.
    pub(crate) fn is_own(self) -> bool {
        matches!(self, Self::Service | Self::StartedByHand)
    }
}

/// All listening sockets of the machine, by port. Behind the port of an instance with a network of its own,
/// the processes that listen inside.
#[derive(Default)]
pub(crate) struct Holders {
    by_port: BTreeMap<u16, Vec<PortOwner>>,
    inner: BTreeMap<u16, InnerPort>,
}

impl Holders {
    /// Lists the listening sockets; empty if the system does not report them. Looks into networks for these
    /// ports only.
    pub(crate) async fn read(known: &Known, ports: impl IntoIterator<Item = u16>) -> Self {
        let mut all = Self::default();
        for holder in portway_ports::all_owners().unwrap_or_default() {
            let here = all.by_port.entry(holder.listener.port).or_default();
            here.push(holder);
        }
        let leases = known.leases();
        let mut networks = Networks::default();
        for port in ports {
            let Some(here) = all.by_port.get_mut(&port) else {
                continue;
            };
            networks.read(leases.get(&port), here).await;
            let inner = networks.resolve(here, leases.get(&port), port);
            all.inner.extend(inner.map(|inner| (port, inner)));
        }
        all
    }

    /// Returns the listeners on a port.
    pub(crate) fn on(&self, port: u16) -> &[PortOwner] {
        self.by_port.get(&port).map_or(&[][..], Vec::as_slice)
    }

    /// Returns the port inside the network of the instance that listens on a port.
    pub(crate) fn inner(&self, port: u16) -> Option<InnerPort> {
        self.inner.get(&port).copied()
    }
}

/// Describes the process that holds a socket.
pub(crate) fn who(holder: &PortOwner) -> String {
    occupant(holder).to_string()
}

/// Returns the process that holds a socket.
pub(crate) fn occupant(holder: &PortOwner) -> PortConflict {
    match &holder.process {
        Some(process) => PortConflict::Process {
            pid: process.id.pid,
            name: process.name.clone(),
            directory: process
                .working_dir
                .as_ref()
                .map(|dir| dir.display().to_string()),
        },
        None => PortConflict::UnknownProcess {
            user: Some(user(holder.listener.user)),
        },
    }
}

/// Returns the marks of a holder. A supervisor, which listens on the local network, has the marks of its
/// services.
fn marks(holder: &PortOwner) -> Vec<Mark> {
    let main = holder.process.as_ref().map(|process| process.id.pid);
    let pids = main.into_iter().chain(holder.other_pids.iter().copied());
    let marks: Vec<Mark> = pids.filter_map(Mark::of).collect();
    if marks.is_empty() {
        return main.map(mark::supervised_services).unwrap_or_default();
    }
    marks
}

fn is_below(dir: Option<&Path>, root: &Path) -> bool {
    dir.is_some_and(|dir| dir.starts_with(root))
}

impl Known {
    /// Returns the processes that listen on a port of `service`, and their relation to it.
    pub(crate) fn occupants(
        &self,
        holders: &Holders,
        port: u16,
        service: &PlannedService,
        checkout: &Checkout,
    ) -> Vec<PortOccupant> {
        let here = holders.on(port).iter();
        here.map(|holder| self.occupant(holder, holders.inner(port), service, checkout))
            .collect()
    }

    /// Returns the service of a running instance that leases a port.
    fn leaseholder(&self, port: u16) -> Option<(&str, &str)> {
        let running = |liveness: &CheckoutState| *liveness == CheckoutState::Running;
        let mut instances = self.instances.iter().filter(|(.., one)| running(one));
        instances.find_map(|(instance, leases, _)| {
            let lease = leases.iter().find(|lease| lease.port == port)?;
            Some((instance.id.as_str(), lease.service.as_str()))
        })
    }

    fn occupant(
        &self,
        holder: &PortOwner,
        inner: Option<InnerPort>,
        service: &PlannedService,
        checkout: &Checkout,
    ) -> PortOccupant {
        let main = holder.process.as_ref();
        let mut marks = marks(holder);
        // A supervisor has the marks of all its services. It listens for the one that leases the port.
        let leaseholder = self.leaseholder(holder.listener.port);
        let is_leaseholder =
            |mark: &Mark| leaseholder == Some((mark.instance_id(), mark.service.as_str()));
        if marks.iter().any(is_leaseholder) {
            marks.retain(is_leaseholder);
        }
        let is_own =
            |mark: &Mark| mark.instance_id() == checkout.id && mark.service == service.name;
        let kind = if service.owner == ListenerOwner::Any || marks.iter().any(is_own) {
            OccupantKind::Service
        } else if marks.is_empty()
            && main.is_some_and(|one| is_below(one.working_dir.as_deref(), &checkout.root))
        {
            OccupantKind::StartedByHand
        } else if marks.iter().any(|mark| mark.instance_id() != checkout.id) {
            OccupantKind::OtherInstance
        } else {
            OccupantKind::Unrelated
        };
        let mut process = who(holder);
        if let Some(inner) = inner.filter(|inner| inner.is_open) {
            process += &format!(", which listens on port {} of its network", inner.number);
        }
        let owner = marks.iter().find_map(|mark| {
            if mark.instance_id() == checkout.id {
                return Some(format!("`{}` of this checkout", mark.service));
            }
            let owner = self.service(mark.instance_id(), &mark.service)?;
            Some(format!(
                "`{}` of `{}`, in {}",
                owner.service, owner.instance, owner.directory
            ))
        });
        PortOccupant {
            description: match owner {
                Some(owner) if !kind.is_own() => format!("{owner}: {process}"),
                _ => process,
            },
            kind,
            addresses: vec![holder.listener.address.to_string()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_directories_by_component() {
        assert!(is_below(Some(Path::new("/p/api")), Path::new("/p")));
        assert!(!is_below(Some(Path::new("/pp")), Path::new("/p")));
        assert!(!is_below(None, Path::new("/p")));
    }
}
