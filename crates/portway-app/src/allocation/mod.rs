//! From a plan to leased and held ports, and to the wiring.
//!
//! Inputs: the plan, and the ports that the user requires in `.ports.json` or on the command line. The
//! registry chooses among the ports; acquiring a hold shows whether a port is free.

mod choice;
pub(crate) mod consent;
pub(crate) mod exclusions;
mod explain;
mod hold;
mod record;
mod required;
pub(crate) mod running;
mod same_port;

pub use explain::describe;

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use portway_api::{ErrorCode, PortDisplacement};
use portway_ports::{Hold, PortRange, Protocol};
use portway_project::{AssignedPorts, Plan, Wiring, WiringInput};
use portway_registry::{AllocatedPort, Instance, Lease, PortRequest, Registry};

use choice::{Chosen, Scope, choose};

use crate::error::CommandError;
use crate::instance::connection::{self, not_running};
use crate::instance::restore;
use crate::options::Selection;
use crate::project::{Project, RegisteredProject};
use crate::runtime::runtime;
use crate::trust::children;
use crate::{credentials, database};

/// The ports of an instance, with their holds and the wiring.
pub(crate) struct Allocation {
    pub(crate) ports: AssignedPorts,
    pub(crate) wiring: Wiring,
    /// The new choice; `None` if the instance is running and keeps its ports.
    chosen: Option<Chosen>,
    /// Warnings about ports that were requested by number.
    pub(crate) warnings: HashMap<u16, String>,
    /// The holds; empty if the supervisor of a running instance has them.
    pub(crate) holds: Vec<Arc<Hold>>,
}

/// What happens to the holds that showed which ports are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Released before the registry is unlocked; only the leases remain.
    No,
    /// Kept as soft holds for a command that is not a supervisor.
    Soft,
    /// Kept as hard holds by the instance's supervisor.
    Hard,
}

/// Chooses, leases and holds the ports of the plan, and writes `.ports.json`. Returns `None` if the
/// instance is running and the caller is not its supervisor.
pub(crate) fn allocate(
    registered: &mut RegisteredProject,
    selection: &Selection,
    keep: Keep,
) -> Result<Option<Allocation>, CommandError> {
    let Some(mut chosen) = choose_all(registered, selection, keep)? else {
        return Ok(None);
    };
    let ports = assigned(&registered.project, &chosen.given);
    if keep == Keep::Hard {
        children::update_bundle();
        if registered.instance.gateway != chosen.gateway {
            let id = &registered.instance.id;
            registered
                .registry
                .set_gateway(id, chosen.gateway.as_ref())?;
        }
    }
    registered.instance.gateway = chosen.gateway.take();
    let wiring = wire(&registered.project, &registered.instance, &ports)?;
    write_down(registered, &ports, &wiring)?;
    Ok(Some(Allocation {
        warnings: exclusions::warnings(&chosen.policy, &ports),
        ports,
        wiring,
        holds: mem::take(&mut chosen.holds),
        chosen: Some(chosen),
    }))
}

/// Returns why ports differ from the preferred ones, by allocated port. Looks up the processes on the
/// preferred ports.
pub(crate) fn displaced(
    registered: &mut RegisteredProject,
    allocation: &Allocation,
) -> Result<HashMap<u16, PortDisplacement>, CommandError> {
    match &allocation.chosen {
        Some(chosen) => explain::displaced(registered, chosen),
        None => Ok(HashMap::new()),
    }
}

/// Chooses the ports of the plan without writing to the checkout.
fn choose_all(
    registered: &mut RegisteredProject,
    selection: &Selection,
    keep: Keep,
) -> Result<Option<Chosen>, CommandError> {
    let file = registered.project.ports_file()?.cloned();
    let required_ports = required::required_ports(registered, file.as_ref(), selection)?;
    let policy = exclusions::policy(&registered.project.preferences)?;
    let wanted = exclusions::wanted(&registered.project.plan, &required_ports, &policy);
    choose(registered, wanted, policy, Scope::All, keep)
}

/// Returns the leased ports of a running instance. Writes nothing.
pub(crate) fn current(
    project: &Project,
    instance: &Instance,
    leases: &[Lease],
) -> Result<Allocation, CommandError> {
    let ports = leased(&project.plan, leases)?;
    let wiring = wire(project, instance, &ports)?;
    Ok(Allocation {
        warnings: exclusions::warnings(&exclusions::policy(&project.preferences)?, &ports),
        ports,
        wiring,
        chosen: None,
        holds: Vec::new(),
    })
}

/// Returns the leased ports of all services in the plan.
fn leased(plan: &Plan, leases: &[Lease]) -> Result<AssignedPorts, CommandError> {
    let mut ports = AssignedPorts::default();
    for service in plan.services.values() {
        let mut own = Vec::new();
        for planned in &service.ports {
            let name = planned.name.as_deref().unwrap_or("");
            let is_it = |lease: &&Lease| lease.service == service.name && lease.name == name;
            let lease = leases
                .iter()
                .find(is_it)
                .ok_or_else(|| changed(&service.name))?;
            own.push(lease.port);
        }
        ports.0.insert(service.name.clone(), own);
    }
    Ok(ports)
}

/// Writes `.ports.json`. Another command of the checkout may have chosen ports since `ports` were
/// leased, and this command may have replaced what it wrote. So the leases are read again after
/// each write, and the file is written again until they match.
fn write_down(
    registered: &mut RegisteredProject,
    ports: &AssignedPorts,
    wiring: &Wiring,
) -> Result<(), CommandError> {
    let file = registered.project.ports_file()?.cloned();
    record::write_ports_file(registered, file.unwrap_or_default(), wiring)?;
    let mut written = ports.clone();
    loop {
        let leases = registered.registry.leases(&registered.instance.id)?;
        // A service without a lease has no port to write.
        match leased(&registered.project.plan, &leases) {
            Ok(now) if now != written => {
                let wiring = wire(&registered.project, &registered.instance, &now)?;
                record::rewrite_ports_file(registered, &wiring)?;
                written = now;
            }
            _ => return Ok(()),
        }
    }
}

/// Returns the leased ports if the instance is running, otherwise newly chosen ones.
pub(crate) fn current_or_new(
    registered: &mut RegisteredProject,
    selection: &Selection,
    keep: Keep,
) -> Result<Allocation, CommandError> {
    loop {
        if let Some(allocation) = allocate(registered, selection, keep)? {
            return Ok(allocation);
        }
        if !selection.ports.is_empty() {
            return Err(CommandError::new(
                ErrorCode::Usage,
                "cannot change ports while the instance is running",
            )
            .hint("run `portway down` first"));
        }
        // A supervisor that responds has allocated its ports.
        if let Some(status) = runtime()?.block_on(connection::status(registered))? {
            let leases = restore::leases(&status, &HashMap::new());
            return current(&registered.project, &registered.instance, &leases);
        }
    }
}

/// Rewrites `.ports.json` with the leased ports if the instance is running, otherwise with chosen ones.
pub(crate) fn rewrite(registered: &mut RegisteredProject) -> Result<(), CommandError> {
    let allocation = current_or_new(registered, &Selection::default(), Keep::No)?;
    record::rewrite_ports_file(registered, &allocation.wiring)
}

/// Replaces a lost port: chooses, holds and leases another one, and writes it to `.ports.json`.
pub(crate) fn replace(
    registered: &mut RegisteredProject,
    ports: &AssignedPorts,
    service: &str,
    lost: u16,
) -> Result<(Arc<Hold>, AssignedPorts, Wiring), CommandError> {
    let index = ports.of(service).iter().position(|&port| port == lost);
    let policy = exclusions::policy(&registered.project.preferences)?;
    let mut wanted: Vec<PortRequest> =
        exclusions::wanted(&registered.project.plan, &HashMap::new(), &policy)
            .into_iter()
            .filter(|wanted| wanted.service == service)
            .collect();
    let wanted = vec![wanted.swap_remove(index.unwrap_or(0))];
    let chosen = choose(
        registered,
        wanted,
        policy,
        Scope::Replacement { lost },
        Keep::Hard,
    )?;
    let Chosen {
        given, mut holds, ..
    } = chosen.ok_or_else(not_running)?;
    let mut ports = ports.clone();
    ports.replace(service, lost, given[0].port);
    let wiring = wire(&registered.project, &registered.instance, &ports)?;
    record::rewrite_ports_file(registered, &wiring)?;
    Ok((holds.swap_remove(0), ports, wiring))
}

/// Chooses, holds and leases a port for one that a service has opened in the network of its instance.
/// In a main checkout, that is the same number if it is free.
pub(crate) fn observe(
    registered: &mut RegisteredProject,
    service: &str,
    inner: u16,
) -> Result<Arc<Hold>, CommandError> {
    let policy = exclusions::policy(&registered.project.preferences)?;
    let wanted = PortRequest {
        service: service.to_owned(),
        name: inner.to_string(),
        protocol: Protocol::Tcp,
        preferred: inner,
        is_explicit: false,
        is_called: false,
        range: PortRange::hundred_from(inner)
            .map_err(|error| CommandError::new(ErrorCode::Failed, error.to_string()))?
            .into(),
        forced: None,
        fallback: true,
        keep: None,
    };
    let chosen = choose(
        registered,
        vec![wanted],
        policy,
        Scope::Addition,
        Keep::Hard,
    )?;
    let mut chosen = chosen.ok_or_else(not_running)?;
    Ok(chosen.holds.swap_remove(0))
}

/// Writes `.ports.json` again, after ports were observed.
pub(crate) fn write_observed(
    registered: &mut RegisteredProject,
    ports: &AssignedPorts,
) -> Result<(), CommandError> {
    let wiring = wire(&registered.project, &registered.instance, ports)?;
    record::rewrite_ports_file(registered, &wiring)
}

/// Builds the wiring for these ports.
pub(crate) fn wire(
    project: &Project,
    instance: &Instance,
    ports: &AssignedPorts,
) -> Result<Wiring, CommandError> {
    let plan = &project.plan;
    let mappings = project.mappings();
    let inner = project.is_isolated.then(|| plan.inner_ports());
    let mut wiring = Wiring::new(
        plan,
        ports,
        &project.checkout,
        &WiringInput {
            instance: &instance.name,
            env_files: &project.env_files()?,
            mappings: &mappings,
            trust: &children::variables(),
            gateway: instance.gateway.as_ref(),
            inner: inner.as_ref(),
        },
    );
    credentials::add(&project.checkout.root, plan, ports, &mappings, &mut wiring);
    database::assign(plan, &project.checkout, instance, &mappings, &mut wiring)?;
    let root = &project.checkout.root;
    database::guard(root, plan, ports, inner.as_ref(), &mappings, &mut wiring);
    for port in &project.observed {
        port.add_to(&mut wiring.ports_json);
    }
    let served = plan.published_on_lan(project.lan);
    if !served.is_empty() {
        let host = format!("{}.local", portway_lan::host_name(&instance.name));
        wiring.publish_on_lan(plan, ports, &served, &portway_lan::local_addresses(), &host);
    }
    Ok(wiring)
}

/// The error that a running instance does not have a service.
pub(crate) fn changed(service: &str) -> CommandError {
    CommandError::new(
        ErrorCode::Failed,
        format!("the running instance has no service `{service}`: the enabled services have changed since it started"),
    )
    .hint("run `portway up` to apply the change")
}

fn assigned(project: &Project, given: &[AllocatedPort]) -> AssignedPorts {
    let mut ports = AssignedPorts::default();
    for service in project.plan.services.values() {
        let own = given.iter().filter(|one| one.service == service.name);
        ports
            .0
            .insert(service.name.clone(), own.map(|one| one.port).collect());
    }
    ports
}
