//! The ports, URLs and variables of a checkout, before, during and after its services run.

use std::collections::HashMap;
use std::path::Path;

use indexmap::IndexMap;
use portway_api::{ErrorCode, InstanceState, InstanceStatus, PortStatus};

use crate::allocation::{self, Keep};
use crate::error::CommandError;
use crate::gateway::{client, state};
use crate::instance::connection::Supervised;
use crate::options::Selection;
use crate::project::Project;
use crate::runtime::runtime;

pub use crate::allocation::describe;

/// Chooses ports where the instance does not run, writes `.ports.json`, and returns the status.
///
/// # Errors
/// When the project cannot be used or a port cannot be had.
pub fn detect(
    directory: Option<&Path>,
    selection: &Selection,
) -> Result<InstanceStatus, CommandError> {
    let mut project = Project::open(directory, selection)?;
    let running = project.is_supervised()?;
    let allocation = allocation::current_or_new(&mut project, selection, Keep::No)?;
    if running && let Ok(live) = runtime()?.block_on(project.client().status()) {
        return Ok(live);
    }
    let displaced = allocation::displaced(&mut project, &allocation)?;
    Ok(InstanceStatus {
        id: project.instance.id.clone(),
        name: project.instance.name.clone(),
        project: project.plan.project.clone(),
        directory: project.checkout.root.display().to_string(),
        branch: project.instance.branch.clone(),
        state: InstanceState::Stopped,
        pid: None,
        since: None,
        main: project.plan.main.clone(),
        routes: project.plan.routes.clone(),
        lan: false,
        services: allocation::service_statuses(&project, &allocation, &displaced),
    })
}

/// Returns the variables of `service`, or those that all services share.
///
/// # Errors
/// When the project cannot be used, the service is unknown, or a port cannot be had.
pub fn variables(
    directory: Option<&Path>,
    service: Option<&str>,
    selection: &Selection,
) -> Result<IndexMap<String, String>, CommandError> {
    let mut project = Project::open(directory, selection)?;
    if let Some(service) = service {
        project.known(service)?;
    }
    let mut wiring = allocation::current_or_new(&mut project, selection, Keep::No)?.wiring;
    Ok(match service {
        Some(service) => std::mem::take(&mut wiring.services[service].env),
        None => wiring.shared,
    })
}

/// Returns the port of `SERVICE` or `SERVICE.NAME`.
///
/// # Errors
/// When the project cannot be used, or the service is unknown or has no such port.
pub fn port(directory: Option<&Path>, service: &str) -> Result<PortStatus, CommandError> {
    let mut project = Project::open(directory, &Selection::default())?;
    let wanted = service;
    let (service, name) = match wanted.split_once('.') {
        Some((service, name)) => (service, Some(name)),
        None => (wanted, None),
    };
    project.known(service)?;
    let allocation = allocation::current_or_new(&mut project, &Selection::default(), Keep::No)?;
    // The process that uses the preferred port is not looked up here.
    allocation::service_statuses(&project, &allocation, &HashMap::new())
        .into_iter()
        .filter(|status| status.name == service)
        .flat_map(|status| status.ports)
        .find(|port| name.is_none() || port.name.as_deref() == name)
        .ok_or_else(|| {
            CommandError::new(ErrorCode::Usage, format!("`{wanted}` has no port")).hint(format!(
                "give it one: `port = \"9100-9199\"` in `[services.{service}]`"
            ))
        })
}

/// Returns the URL under which the gateway serves a service.
///
/// # Errors
/// When the gateway does not run, the service is unknown, or the gateway has no name for it.
pub fn named_url(directory: Option<&Path>, service: &str) -> Result<String, CommandError> {
    let gateway = state::status()?.ok_or_else(client::not_running)?;
    let project = Project::open(directory, &Selection::default())?;
    project.known(service)?;
    let mut all = client::instances()?;
    portway_gateway::fill_gateway_fields(&mut all, &gateway);
    let services = all
        .into_iter()
        .filter(|one| one.id == project.instance.id)
        .flat_map(|one| one.services);
    let found = services.into_iter().find(|one| one.name == service);
    found.and_then(|service| service.named_url).ok_or_else(|| {
        let message = format!("the gateway has no name for `{service}`");
        CommandError::new(ErrorCode::NotFound, message).hint(
            "it serves what speaks HTTP and has run once; a worktree whose branch is called like \
             the service has the name first",
        )
    })
}
