//! The ports, URLs and variables of a checkout, whether its services are running or not.

use std::collections::HashMap;
use std::path::Path;

use indexmap::IndexMap;
use portway_api::{
    ErrorCode, InstanceState, InstanceStatus, PortDisplacement, PortStatus, ServiceState,
    ServiceStatus,
};
use portway_project::{Plan, wiring};

use crate::allocation::{self, Allocation, Keep};
use crate::error::CommandError;
use crate::gateway::{client, state};
use crate::instance::{connection, restore};
use crate::options::Selection;
use crate::project::{LoadedProject, Project, RegisteredProject};
use crate::runtime::runtime;

pub use crate::allocation::describe;

/// Returns the status of the instance. If it is not running, chooses its ports and writes
/// `.ports.json`.
///
/// # Errors
/// When the project cannot be used or no port is available.
pub fn detect(
    directory: Option<&Path>,
    selection: &Selection,
) -> Result<InstanceStatus, CommandError> {
    let loaded = LoadedProject::load(directory, selection)?;
    if selection.is_empty()
        && let Some((status, _)) = of_running(&loaded)?
    {
        return Ok(status);
    }
    let mut registered = loaded.register()?;
    let allocation = allocation::current_or_new(&mut registered, selection, Keep::No)?;
    let displaced = allocation::displaced(&mut registered, &allocation)?;
    let RegisteredProject {
        project, instance, ..
    } = registered;
    let services = service_statuses(&project, &allocation, &displaced);
    let usual_ports = wiring::usual_ports(&project.plan, &allocation.ports);
    Ok(InstanceStatus {
        id: instance.id,
        name: instance.name,
        directory: project.checkout.root.display().to_string(),
        branch: instance.branch,
        state: InstanceState::Stopped,
        pid: None,
        since: None,
        project: project.plan.project,
        main: project.plan.main,
        usual_ports,
        routes: project.plan.routes,
        lan: false,
        services,
    })
}

/// Returns the variables of `service`, or those that all services share.
///
/// # Errors
/// When the project cannot be used, the service is unknown, or no port is available.
pub fn variables(
    directory: Option<&Path>,
    service: Option<&str>,
    selection: &Selection,
) -> Result<IndexMap<String, String>, CommandError> {
    let loaded = LoadedProject::load(directory, selection)?;
    if let Some(service) = service {
        loaded.project.known(service)?;
    }
    let (_, Allocation { mut wiring, .. }) = resolve(loaded, selection)?;
    Ok(match service {
        Some(service) => std::mem::take(&mut wiring.services[service].env),
        None => wiring.shared,
    })
}

/// Returns the ports of a project and what follows from them. If the instance runs, nothing is
/// written. Otherwise ports are chosen, leased and written, so that a later start has the same.
pub(crate) fn resolve(
    loaded: LoadedProject,
    selection: &Selection,
) -> Result<(Project, Allocation), CommandError> {
    // A selection changes the registry's record, even while the instance runs.
    if selection.is_empty()
        && let Some((_, allocation)) = of_running(&loaded)?
    {
        return Ok((loaded.project, allocation));
    }
    let mut registered = loaded.register()?;
    let allocation = allocation::current_or_new(&mut registered, selection, Keep::No)?;
    Ok((registered.project, allocation))
}

/// Returns the main service, or the only one with a port.
///
/// # Errors
/// When there is no such service.
fn default_service(plan: &Plan) -> Result<&str, CommandError> {
    if let Some(main) = &plan.main {
        return Ok(main);
    }
    let with_port = plan.services.values().filter(|one| !one.ports.is_empty());
    let names: Vec<&str> = with_port.map(|service| service.name.as_str()).collect();
    match names[..] {
        [only] => Ok(only),
        [] => Err(CommandError::new(ErrorCode::Usage, "no service has a port")
            .hint("add `port = \"9100-9199\"` to a service in `portway.toml`")),
        _ => Err(CommandError::new(
            ErrorCode::Usage,
            "several services have a port, and none is the main one",
        )
        .hint(format!("name one of them: `{}`", names.join("`, `")))),
    }
}

/// Returns the status of a running instance and its ports, as its supervisor reports them; `None` if it
/// is not running. Does not need the registry.
fn of_running(
    loaded: &LoadedProject,
) -> Result<Option<(InstanceStatus, Allocation)>, CommandError> {
    if !loaded.has_running()? {
        return Ok(None);
    }
    let Some(status) = runtime()?.block_on(connection::status(loaded))? else {
        return Ok(None);
    };
    let instance = match &loaded.instance {
        Some(instance) => instance.clone(),
        None => loaded.unregistered(&status)?,
    };
    let leases = restore::leases(&status, &HashMap::new());
    let allocation = allocation::current(&loaded.project, &instance, &leases)?;
    Ok(Some((status, allocation)))
}

/// Returns the port of `SERVICE` or `SERVICE.NAME`; without a name, that of the main or only service.
///
/// # Errors
/// When the project cannot be used, or the service is unknown or has no such port.
pub fn port(directory: Option<&Path>, service: Option<&str>) -> Result<PortStatus, CommandError> {
    let selection = Selection::default();
    let loaded = LoadedProject::load(directory, &selection)?;
    let service = match service {
        Some(service) => service.to_owned(),
        None => default_service(&loaded.project.plan)?.to_owned(),
    };
    let service = service.as_str();
    let (service, name) = match service.split_once('.') {
        Some((service, name)) => (service, Some(name)),
        None => (service, None),
    };
    loaded.project.known(service)?;
    let (project, allocation) = resolve(loaded, &selection)?;
    // The result does not contain the process on the preferred port, so it is not searched for.
    service_statuses(&project, &allocation, &HashMap::new())
        .into_iter()
        .filter(|status| status.name == service)
        .flat_map(|status| status.ports)
        .find(|port| name.is_none() || port.name.as_deref() == name)
        .ok_or_else(|| {
            let (message, help) = match name {
                Some(name) => (
                    format!("`{service}` has no port named `{name}`"),
                    format!("add `{name} = \"9100-9199\"` to `[services.{service}.ports]`"),
                ),
                None => (
                    format!("`{service}` has no port"),
                    format!("add `port = \"9100-9199\"` to `[services.{service}]`"),
                ),
            };
            CommandError::new(ErrorCode::Usage, message).hint(help)
        })
}

/// Returns the named URL of a service, which the gateway serves; without a name, that of the main or
/// only service.
///
/// # Errors
/// When the gateway is not running, the service is unknown, or the gateway has no name for it.
pub fn named_url(directory: Option<&Path>, service: Option<&str>) -> Result<String, CommandError> {
    let gateway = state::status()?.ok_or_else(client::not_running)?;
    let loaded = LoadedProject::load(directory, &Selection::default())?;
    let service = match service {
        Some(service) => service,
        None => default_service(&loaded.project.plan)?,
    };
    loaded.project.known(service)?;
    loaded.has_running()?;
    let mut all = client::instances()?;
    portway_gateway::fill_gateway_fields(&mut all, &gateway);
    let services = all
        .into_iter()
        .filter(|one| one.id == loaded.instance_id())
        .flat_map(|one| one.services);
    let found = services.into_iter().find(|one| one.name == service);
    found.and_then(|service| service.named_url).ok_or_else(|| {
        let message = format!("the gateway has no name for `{service}`");
        CommandError::new(ErrorCode::NotFound, message).hint(
            "only HTTP services that were started at least once have a name; a worktree whose branch \
             has the same name as the service takes precedence",
        )
    })
}

/// Returns the service statuses of a stopped instance.
fn service_statuses(
    project: &Project,
    allocation: &Allocation,
    displaced: &HashMap<u16, PortDisplacement>,
) -> Vec<ServiceStatus> {
    project
        .plan
        .services
        .values()
        .map(|service| {
            let ports: Vec<PortStatus> = service
                .ports
                .iter()
                .enumerate()
                .zip(allocation.ports.of(&service.name))
                .map(|((index, planned), &port)| PortStatus {
                    name: planned.name.clone(),
                    port,
                    url: wiring::url(service.kind_of_port(index), port),
                    displaced: displaced.get(&port).cloned(),
                    warning: allocation.warnings.get(&port).cloned(),
                })
                .collect();
            ServiceStatus {
                max_body: service.max_body,
                ..ServiceStatus::without_process(service.name.clone(), ServiceState::Stopped, ports)
            }
        })
        .collect()
}
