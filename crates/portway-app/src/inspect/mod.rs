//! Which process and which service use a port: combines the kernel's listeners, their processes and
//! the registry's leases. Changes nothing.

mod container;
mod isolated;
mod leftover;
mod occupant;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use portway_api::{
    GatewayStatus, LeaseState, PortHolder, PortLease, PortReport, PortState, ProcessInfo,
    ServiceRef,
};
use portway_ports::{PortOwner, PortPolicy, Process, ProcessId};
use portway_registry::{CheckoutState, Instance, Lease};
use portway_supervisor::control;
use portway_supervisor::mark::{self, Mark};
use portway_supervisor::process::{self, root_index};

use crate::dirs;
use crate::error::CommandError;
use crate::gateway::state;
use crate::registry::RegistryReader;
use crate::reporter::Reporter;
use crate::runtime::runtime;

use container::published;
pub(crate) use isolated::InnerPort;
use isolated::Networks;
pub(crate) use leftover::{RunningInstances, leftovers};
pub(crate) use occupant::{Holders, OccupantKind, PortOccupant, occupant};

/// A snapshot of the registry and the gateway.
#[derive(Default)]
pub(crate) struct Known {
    instances: Vec<(Instance, Vec<Lease>, CheckoutState)>,
    /// The gateway, if it is running.
    gateway: Option<GatewayStatus>,
    /// The error, if the registry cannot be read.
    pub(crate) error: Option<CommandError>,
}

impl Known {
    /// Reads the registry. A failure is kept as a value, because listeners can be reported without
    /// it.
    pub(crate) fn read() -> Self {
        let read = || RegistryReader::open()?.instances();
        let (instances, error) = match read() {
            Ok(instances) => (instances, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Self {
            instances,
            gateway: state::status().ok().flatten(),
            error,
        }
    }

    /// A snapshot with these instances and without a gateway.
    pub(crate) fn of(instances: Vec<(Instance, Vec<Lease>, CheckoutState)>) -> Self {
        Self {
            instances,
            ..Self::default()
        }
    }

    /// Returns the gateway if it is one of these holders.
    pub(crate) fn gateway_among(&self, holders: &[PortHolder]) -> Option<&GatewayStatus> {
        let has = |gateway: &&GatewayStatus| {
            let mut processes = holders.iter().filter_map(|holder| holder.process.as_ref());
            processes.any(|process| process.pid == gateway.pid)
        };
        self.gateway.as_ref().filter(has)
    }

    /// Returns all leases by port.
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

    /// Returns a service of an instance, for messages.
    pub(crate) fn service(&self, id: &str, service: &str) -> Option<ServiceRef> {
        let (instance, ..) = self.instances.iter().find(|(one, ..)| one.id == id)?;
        Some(service_ref(instance, service))
    }
}

/// Converts a lease to its API type.
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
/// If the system does not report its listeners.
pub fn ports(ports: &[u16], reporter: &dyn Reporter) -> Result<Vec<PortReport>, CommandError> {
    let known = Known::read();
    let reports = report(ports, &known)?;
    if let Some(error) = &known.error {
        reporter.warning(&format!(
            "cannot read the registry, so leases are not shown: {}",
            error.info.message
        ));
    }
    Ok(reports)
}

/// Same as [`ports`], with a snapshot that the caller provides.
pub(crate) fn report(ports: &[u16], known: &Known) -> Result<Vec<PortReport>, CommandError> {
    let leases = known.leases();
    let policy = PortPolicy::read().unwrap_or_default();
    let mut listening: BTreeMap<u16, Vec<PortOwner>> = BTreeMap::new();
    let found = match ports {
        [port] => portway_ports::owners_among(*port, &likely(leases.get(port))),
        _ => portway_ports::all_owners(),
    };
    for holder in found.map_err(cannot_list)? {
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
    let mut networks = Networks::default();
    runtime()?.block_on(async {
        for port in &wanted {
            let listeners = listening.get(port).map_or(&[][..], Vec::as_slice);
            networks.read(leases.get(port), listeners).await;
        }
    });
    wanted
        .into_iter()
        .map(|port| {
            let mut listeners = listening.remove(&port).unwrap_or_default();
            let lease = leases.get(&port).cloned();
            let inner = networks.resolve(&mut listeners, lease.as_ref(), port);
            let mut report = one(port, listeners, lease, known)?;
            report.inner = inner.map(|inner| inner.number);
            report.excluded = policy.exclusion(port).map(|why| why.to_string());
            Ok(report)
        })
        .collect()
}

/// Returns the processes that probably use a leased port: the instance's supervisor, which may pass
/// a socket on, and its descendants. Empty if the supervisor cannot be reached.
fn likely(lease: Option<&PortLease>) -> Vec<u32> {
    let live = lease.filter(|lease| lease.state == LeaseState::Live);
    let supervisor = live.and_then(|lease| {
        let dir = portway_registry::instance_dir(&dirs::state_dir().ok()?, &lease.owner.id);
        control::supervisor_pid(&dir.join(control::SOCKET))
    });
    supervisor.map(process::tree_pids).unwrap_or_default()
}

fn cannot_list(error: std::io::Error) -> CommandError {
    CommandError::new(
        portway_api::ErrorCode::Failed,
        "cannot list the listening sockets",
    )
    .caused_by(error)
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
        // The hold belongs to the supervisor and is not reported as a holder.
        (PortState::Held, Vec::new())
    } else {
        let bound = portway_ports::bound_owners(port).map_err(cannot_list)?;
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
        let (what, help) = state::describe_port_usage(gateway, port);
        hints.push(format!("{what}; {help}"));
    }
    if let Some(hidden) = holders.iter().find(|holder| holder.process.is_none()) {
        hints.push(format!(
            "the process belongs to user {}; run `sudo portway who {port}` to see it",
            hidden.user
        ));
    }
    Ok(PortReport {
        port,
        inner: None,
        state,
        holders,
        lease,
        excluded: None,
        hints,
    })
}

/// Groups the holders of one port by process.
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

/// Marks a supervisor that listens for a service on the local network as that service.
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
            .and_then(|process| Mark::of(process.id.pid))
            .and_then(|mark| known.service(mark.instance_id(), &mark.service)),
        process: first.process.as_ref().map(info),
    }
}

/// Returns the pids with any of these sockets open, except the main process of the first.
fn shared(sockets: &[&PortOwner]) -> BTreeSet<u32> {
    let main = sockets[0].process.as_ref().map(|process| process.id.pid);
    let others = sockets
        .iter()
        .flat_map(|socket| socket.other_pids.iter().copied());
    others.filter(|pid| Some(*pid) != main).collect()
}

/// Returns the name of a user, or the user id if there is no name.
fn user(user: Option<u32>) -> String {
    user.map_or_else(
        || "unknown".to_owned(),
        |user| process::user_name(user).unwrap_or_else(|| user.to_string()),
    )
}

/// Converts a process to its API type.
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
