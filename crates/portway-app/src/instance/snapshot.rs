//! Reads the state of a checkout without allocating, leasing, registering or writing anything.

use portway_api::{InstanceState, InstanceStatus, PortStatus, ServiceState, ServiceStatus};
use portway_ports::PortPolicy;
use portway_project::kind::Kind;
use portway_project::{AssignedPorts, Checkout, Plan, PortsFile, wiring};
use portway_registry::{CheckoutState, Instance, Lease};

use crate::error::CommandError;
use crate::options::Selection;
use crate::project::{Described, enabled_options};
use crate::registry::Entry;

/// Reads the checkout of a project.
pub(crate) fn checkout(described: &Described) -> Result<Checkout, CommandError> {
    let root = described.manifest.root();
    Ok(Checkout::read(root)?)
}

/// Builds the plan with the optional services that are enabled in the registry.
pub(crate) fn plan(described: &Described, entry: Option<&Entry>) -> Result<Plan, CommandError> {
    let manifest = &described.manifest;
    let remembered = entry.map_or(&[][..], |(instance, ..)| &instance.options);
    let options = enabled_options(manifest, remembered, &Selection::default());
    Ok(Plan::with_preferences(
        manifest,
        &options,
        &described.preferences,
    )?)
}

/// Returns the ports of the services of `plan`: the leased ports if the instance is running, otherwise
/// those in `.ports.json`, otherwise the last leased ports, otherwise the preferred ports.
pub(crate) fn ports(plan: &Plan, file: Option<&PortsFile>, entry: Option<&Entry>) -> AssignedPorts {
    let mut ports = AssignedPorts::default();
    let is_running = entry.is_some_and(|(.., liveness)| *liveness == CheckoutState::Running);
    for service in plan.services.values() {
        let numbers = service.ports.iter().enumerate().map(|(index, planned)| {
            let name = planned.name.as_deref().unwrap_or("");
            let leased = entry.and_then(|(_, leases, _)| {
                let is_it = |lease: &&Lease| lease.service == service.name && lease.name == name;
                leases.iter().find(is_it).map(|lease| lease.port)
            });
            let json = service.port_key(index);
            let written = file
                .and_then(|file| file.content.get(&json)?.as_u64())
                .and_then(|number| u16::try_from(number).ok())
                .filter(|&port| port != 0);
            let found = if is_running {
                leased.or(written)
            } else {
                written.or(leased)
            };
            found.unwrap_or(planned.spec.prefer)
        });
        let numbers = numbers.collect();
        ports.0.insert(service.name.clone(), numbers);
    }
    ports
}

/// Returns the status of a stopped instance from its leases.
pub(crate) fn stopped_status(
    instance: Instance,
    leases: &[Lease],
    policy: &PortPolicy,
) -> InstanceStatus {
    let (state, service) = (InstanceState::Stopped, ServiceState::Stopped);
    silent_status(instance, leases, policy, state, service)
}

/// Returns the status of an instance whose supervisor reports none, from its leases.
pub(crate) fn silent_status(
    instance: Instance,
    leases: &[Lease],
    policy: &PortPolicy,
    state: InstanceState,
    service_state: ServiceState,
) -> InstanceStatus {
    let mut services: Vec<ServiceStatus> = Vec::new();
    // A file that cannot be read only makes schemes less exact.
    let file = PortsFile::read(&instance.dir).ok().flatten();
    for lease in leases {
        let written = file.as_ref().and_then(|file| file.local_url(lease.port));
        let port = PortStatus {
            name: Some(lease.name.clone()).filter(|name| !name.is_empty()),
            port: lease.port,
            inner: None,
            observed: false,
            url: written
                .unwrap_or_else(|| wiring::url(Kind::infer(&lease.service, ""), lease.port)),
            displaced: None,
            warning: policy.exclusion(lease.port).map(|why| why.to_string()),
        };
        match services.iter_mut().find(|one| one.name == lease.service) {
            Some(service) => service.ports.push(port),
            None => services.push(ServiceStatus::without_process(
                lease.service.clone(),
                service_state,
                vec![port],
            )),
        }
    }
    InstanceStatus {
        id: instance.id,
        name: instance.name,
        project: instance.project,
        directory: instance.dir.display().to_string(),
        branch: instance.branch,
        state,
        pid: None,
        since: None,
        main: None,
        routes: Vec::new(),
        usual_ports: Vec::new(),
        lan: false,
        network: None,
        changed_files: Vec::new(),
        services,
    }
}
