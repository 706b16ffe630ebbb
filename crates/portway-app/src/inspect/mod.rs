//! Who has which port: the kernel's listeners, the processes behind them, and what the registry
//! knows. Nothing is changed here.

mod container;
mod leftover;
mod sitter;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use portway_api::{
    GatewayStatus, LeaseState, PortHolder, PortLease, PortReport, PortState, ProcessInfo,
    ServiceRef,
};
use portway_ports::{PortOwner, PortPolicy, Process, ProcessId};
use portway_registry::{CheckoutState, Instance, Lease, Registry, SqliteRegistry};
use portway_supervisor::control;
use portway_supervisor::mark::{self, Mark};
use portway_supervisor::process::{self, root_index};

use crate::dirs;
use crate::error::CommandError;
use crate::gateway::state;
use crate::reporter::Reporter;

use container::published;
pub(crate) use leftover::leftovers;
pub(crate) use sitter::{Holders, Of, Sitter, holders, occupant};

/// What the registry knew when it was asked.
#[derive(Default)]
pub(crate) struct Known {
    instances: Vec<(Instance, Vec<Lease>, CheckoutState)>,
    /// The gateway that runs.
    gateway: Option<GatewayStatus>,
    /// Why nothing is known, where the registry cannot be used.
    pub(crate) trouble: Option<CommandError>,
}

impl Known {
    /// Asks the registry. One that cannot be used is no error here: who listens can be told
    /// without it.
    pub(crate) fn read() -> Self {
        let read = || -> Result<_, CommandError> {
            Ok(SqliteRegistry::open(&dirs::state_dir()?)?.instances()?)
        };
        let (instances, trouble) = match read() {
            Ok(instances) => (instances, None),
            Err(trouble) => (Vec::new(), Some(trouble)),
        };
        Self {
            instances,
            gateway: state::status().ok().flatten(),
            trouble,
        }
    }

    /// What the registry was found to know.
    pub(crate) fn of(instances: Vec<(Instance, Vec<Lease>, CheckoutState)>) -> Self {
        Self {
            instances,
            ..Self::default()
        }
    }

    /// The gateway, where it is one of those that have a port.
    pub(crate) fn gateway_among(&self, holders: &[PortHolder]) -> Option<&GatewayStatus> {
        let has = |gateway: &&GatewayStatus| {
            let mut processes = holders.iter().filter_map(|holder| holder.process.as_ref());
            processes.any(|process| process.pid == gateway.pid)
        };
        self.gateway.as_ref().filter(has)
    }

    /// All leases, by port.
    pub(crate) fn leases(&self) -> BTreeMap<u16, PortLease> {
        let of = |(instance, leases, liveness): &(Instance, Vec<Lease>, CheckoutState)| {
            let (instance, liveness) = (instance.clone(), *liveness);
            leases
                .clone()
                .into_iter()
                .map(move |lease| (lease.port, port_lease(&instance, &lease, liveness)))
        };
        self.instances.iter().flat_map(of).collect()
    }

    /// The name and directory of an instance, for words.
    pub(crate) fn service(&self, id: &str, service: &str) -> Option<ServiceRef> {
        let (instance, ..) = self.instances.iter().find(|(one, ..)| one.id == id)?;
        Some(service_ref(instance, service))
    }
}

/// What the registry knows of one lease.
pub(crate) fn port_lease(instance: &Instance, lease: &Lease, liveness: CheckoutState) -> PortLease {
    PortLease {
        owner: service_ref(instance, &lease.service),
        name: Some(lease.name.clone()).filter(|name| !name.is_empty()),
        state: match liveness {
            CheckoutState::Running => LeaseState::Live,
            CheckoutState::Stopped => LeaseState::Kept,
            CheckoutState::Missing => LeaseState::Gone,
        },
        last_used: lease.last_used,
    }
}

fn service_ref(instance: &Instance, service: &str) -> ServiceRef {
    ServiceRef {
        id: instance.id.clone(),
        instance: instance.name.clone(),
        directory: instance.dir.display().to_string(),
        service: service.to_owned(),
    }
}

/// Reports on `ports`, or on every port that a process listens on or a running instance holds. A
/// registry that cannot be read is a warning.
///
/// # Errors
/// When the system does not report its listeners.
pub fn ports(ports: &[u16], reporter: &dyn Reporter) -> Result<Vec<PortReport>, CommandError> {
    let known = Known::read();
    let reports = report(ports, &known)?;
    if let Some(trouble) = &known.trouble {
        reporter.warning(&format!(
            "nothing is known of Portway's own ports: {}",
            trouble.info.message
        ));
    }
    Ok(reports)
}

/// Reports on `ports`, or on every port that anybody listens on or that a running instance holds.
pub(crate) fn report(ports: &[u16], known: &Known) -> Result<Vec<PortReport>, CommandError> {
    let leases = known.leases();
    let facts = PortPolicy::read().unwrap_or_default();
    let mut listening: BTreeMap<u16, Vec<PortOwner>> = BTreeMap::new();
    let found = match ports {
        [port] => portway_ports::owners_among(*port, &likely(leases.get(port))),
        _ => portway_ports::all_owners(),
    };
    for holder in found.map_err(unanswered)? {
        listening
            .entry(holder.listener.port)
            .or_default()
            .push(holder);
    }
    let wanted: BTreeSet<u16> = if ports.is_empty() {
        let live = leases
            .iter()
            .filter(|(_, lease)| lease.state == LeaseState::Live);
        listening
            .keys()
            .chain(live.map(|(port, _)| port))
            .copied()
            .collect()
    } else {
        ports.iter().copied().collect()
    };
    wanted
        .into_iter()
        .map(|port| {
            let listeners = listening.remove(&port).unwrap_or_default();
            let lease = leases.get(&port).cloned();
            let mut report = one(port, listeners, lease, known)?;
            report.excluded = facts.exclusion(port).map(|why| why.to_string());
            Ok(report)
        })
        .collect()
}

/// The processes that should have a leased port: its instance's supervisor, which may hand over a
/// socket of its own, and everything below it. None where nobody can be asked.
fn likely(lease: Option<&PortLease>) -> Vec<u32> {
    let live = lease.filter(|lease| lease.state == LeaseState::Live);
    let supervisor = live.and_then(|lease| {
        let dir = portway_registry::instance_dir(&dirs::state_dir().ok()?, &lease.owner.id);
        control::supervisor_pid(&dir.join(control::SOCKET))
    });
    supervisor.map(process::tree_pids).unwrap_or_default()
}

fn unanswered(error: std::io::Error) -> CommandError {
    CommandError::new(
        portway_api::ErrorCode::Failed,
        format!("the system does not tell who listens: {error}"),
    )
}

fn one(
    port: u16,
    listeners: Vec<PortOwner>,
    lease: Option<PortLease>,
    known: &Known,
) -> Result<PortReport, CommandError> {
    let live = lease
        .as_ref()
        .is_some_and(|lease| lease.state == LeaseState::Live);
    let (state, holders) = if !listeners.is_empty() {
        (PortState::Listening, listeners)
    } else if live {
        // The hold itself is the supervisor's, which is no news.
        (PortState::Held, Vec::new())
    } else {
        let bound = portway_ports::bound_owners(port).map_err(unanswered)?;
        match (&lease, bound.is_empty()) {
            (_, false) => (PortState::Bound, bound),
            (Some(_), true) => (PortState::Kept, bound),
            (None, true) => (PortState::Free, bound),
        }
    };
    let mut holders = by_process(&holders, port, known);
    if let Some(lease) = lease.as_ref().filter(|_| live) {
        name_supervisor(&mut holders, lease);
    }
    let mut hints = Vec::new();
    if let Some(gateway) = known.gateway_among(&holders) {
        let (what, way_out) = state::on_port(gateway, port);
        hints.push(format!("{what}; {way_out}"));
    }
    if let Some(hidden) = holders.iter().find(|holder| holder.process.is_none()) {
        hints.push(format!(
            "the process belongs to user {}; `sudo portway who {port}` tells which it is",
            hidden.user
        ));
    }
    Ok(PortReport {
        port,
        state,
        holders,
        lease,
        excluded: None,
        hints,
    })
}

/// The holders of one port, each process once, with all addresses that it has.
fn by_process(holders: &[PortOwner], port: u16, known: &Known) -> Vec<PortHolder> {
    let mut grouped: IndexMap<(Option<u32>, Option<ProcessId>), Vec<&PortOwner>> = IndexMap::new();
    for holder in holders {
        let process = holder.process.as_ref().map(|process| process.id);
        grouped
            .entry((holder.listener.user, process))
            .or_default()
            .push(holder);
    }
    grouped
        .into_values()
        .map(|sockets| port_holder(&sockets, port, known))
        .collect()
}

/// The supervisor that listens for a service on the local network stands for that service.
fn name_supervisor(holders: &mut [PortHolder], lease: &PortLease) {
    for holder in holders.iter_mut().filter(|holder| holder.service.is_none()) {
        let pid = holder.process.as_ref().map(|process| process.pid);
        let supervised = pid.map(mark::supervised_services).unwrap_or_default();
        if supervised
            .iter()
            .any(|mark| mark.instance_id() == lease.owner.id)
        {
            holder.service = Some(lease.owner.clone());
        }
    }
}

fn port_holder(sockets: &[&PortOwner], port: u16, known: &Known) -> PortHolder {
    let first = sockets[0];
    let mut addresses: Vec<String> = Vec::new();
    for socket in sockets {
        let address = socket.listener.address.to_string();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let sharing: Vec<u32> = shared(sockets).into_iter().collect();
    let mut chain: Vec<Process> = first.process.iter().cloned().collect();
    if let Some(process) = &first.process {
        chain.extend(process::ancestors(process.id.pid));
    }
    let root = chain.get(root_index(&chain, &sharing, &[]));
    PortHolder {
        addresses,
        user: user(first.listener.user),
        shared_with: sharing
            .iter()
            .filter_map(|pid| Process::read(*pid))
            .map(|process| info(&process))
            .collect(),
        parents: chain.iter().skip(1).map(info).collect(),
        root: root.map(|root| root.id.pid),
        container: first.process.as_ref().and_then(|process| {
            process::container(process.id.pid).or_else(|| published(process, port))
        }),
        service: first
            .process
            .as_ref()
            .and_then(|process| Mark::read(process.id.pid))
            .and_then(|mark| known.service(mark.instance_id(), &mark.service)),
        process: first.process.as_ref().map(info),
    }
}

/// The pids that have any of these sockets open, beside the first one's main process.
fn shared(sockets: &[&PortOwner]) -> BTreeSet<u32> {
    let main = sockets[0].process.as_ref().map(|process| process.id.pid);
    let others = sockets
        .iter()
        .flat_map(|socket| socket.other_pids.iter().copied());
    others.filter(|pid| Some(*pid) != main).collect()
}

/// The name of a user, or the number if the system knows no name.
fn user(user: Option<u32>) -> String {
    user.map_or_else(
        || "unknown".to_owned(),
        |user| process::user_name(user).unwrap_or_else(|| user.to_string()),
    )
}

/// A process in words.
pub(crate) fn info(process: &Process) -> ProcessInfo {
    ProcessInfo {
        pid: process.id.pid,
        name: process.name.clone(),
        command: process.command.clone(),
        directory: process
            .working_dir
            .as_ref()
            .map(|dir| dir.display().to_string()),
        since: process.id.started_at(),
    }
}
