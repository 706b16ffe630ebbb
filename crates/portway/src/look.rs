//! A checkout as it is: nothing is chosen, leased or written, and the registry does not hear of it.

use portway_project::{AssignedPorts, Checkout, Plan, PortsFile};
use portway_registry::{Instance, Lease, Liveness, Registry, SqliteRegistry};

use crate::error::CommandError;
use crate::home;
use crate::project::Described;

/// An instance that the registry knows, with its leases.
pub(crate) type Entry = (Instance, Vec<Lease>, Liveness);

/// All instances that the registry knows; none where there is no registry yet.
pub(crate) fn entries() -> Result<Vec<Entry>, CommandError> {
    let state = home::state_dir()?;
    if !SqliteRegistry::exists(&state) {
        return Ok(Vec::new());
    }
    Ok(SqliteRegistry::open(&state)?.instances()?)
}

/// The checkout that is described.
pub(crate) fn checkout(described: &Described) -> Result<Checkout, CommandError> {
    let root = described.manifest.root();
    Checkout::look(root).map_err(|error| CommandError::file("enter", root, &error))
}

/// Its plan, with the optional services that are remembered for it.
pub(crate) fn plan(described: &Described, entry: Option<&Entry>) -> Result<Plan, CommandError> {
    let manifest = &described.manifest;
    let remembered = entry.map_or(&[][..], |(instance, ..)| &instance.options);
    let options: Vec<String> = remembered
        .iter()
        .filter(|name| {
            let service = manifest.services.get(*name);
            service.is_some_and(|service| service.optional)
        })
        .cloned()
        .collect();
    Ok(Plan::with_preferences(
        manifest,
        &options,
        &described.preferences,
    )?)
}

/// The ports on which the services of `plan` are to be found: of an instance that runs those that
/// it has leased; else what `.ports.json` says, else what was leased last, else what would be
/// preferred.
pub(crate) fn ports(plan: &Plan, file: Option<&PortsFile>, entry: Option<&Entry>) -> AssignedPorts {
    let mut ports = AssignedPorts::default();
    let runs = entry.is_some_and(|(.., liveness)| *liveness == Liveness::Live);
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
            let found = if runs {
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
