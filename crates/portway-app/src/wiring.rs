//! The ports, URLs and variables of a checkout, whether its services are running or not.

use std::collections::HashMap;
use std::path::Path;

use indexmap::IndexMap;
use portway_api::{
    ErrorCode, InstanceEnvironment, InstanceState, InstanceStatus, PortDisplacement, PortStatus,
    ServiceState, ServiceStatus,
};
use portway_project::suggest::suggestion;
use portway_project::{Plan, wiring};

use crate::allocation::{self, Allocation, Keep};
use crate::error::CommandError;
use crate::gateway::{client, state};
use crate::instance::Running;
use crate::instance::connection::{self, InstanceDir, Supervised};
use crate::instance::response::report;
use crate::options::Selection;
use crate::project::{LoadedProject, Project, RegisteredProject, no_such_service};
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
    let loaded = match Found::find(directory, selection)? {
        Found::Running(_, status) => return Ok(*status),
        Found::Loaded(loaded) => loaded,
    };
    let mut registered = loaded.register()?;
    let allocation = allocation::current_or_new(&mut registered, selection, Keep::No)?;
    registered.remember_options()?;
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
        network: None,
        changed_files: Vec::new(),
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
    let loaded = match Found::find(directory, selection)? {
        Found::Running(instance, status) => {
            let environment = runtime()?.block_on(connection::environment(&instance))?;
            let environment = environment.ok_or_else(connection::not_running)?;
            let variables = running_variables(environment, service);
            return variables.ok_or_else(|| unknown(service.unwrap_or_default(), &status));
        }
        Found::Loaded(loaded) => loaded,
    };
    if let Some(service) = service {
        loaded.project.known(service)?;
    }
    loaded.project.print_invalid_lines(service);
    let (_, Allocation { mut wiring, .. }) = resolve(*loaded, selection)?;
    Ok(match service {
        Some(service) => std::mem::take(&mut wiring.services[service].env),
        None => wiring.shared,
    })
}

/// Returns the variables of `service`, or those that all services share, of a running instance. `None` if
/// it has no such service.
pub(crate) fn running_variables(
    mut environment: InstanceEnvironment,
    service: Option<&str>,
) -> Option<IndexMap<String, String>> {
    let variables = match service {
        Some(service) => environment.services.remove(service)?,
        None => environment.shared,
    };
    Some(variables.into_iter().collect())
}

/// The error of a service that a running instance does not have.
fn unknown(service: &str, status: &InstanceStatus) -> CommandError {
    let known = status.services.iter().map(|service| service.name.as_str());
    let error = no_such_service(service).hint(suggestion(service, known));
    if status.changed_files.is_empty() {
        return error;
    }
    error.hint("the project has changed since it was started; run `portway up` to apply the change")
}

/// The ports of a checkout are those of its running instance, or follow from its manifest.
enum Found {
    /// The instance that is running, and its status.
    Running(InstanceDir, Box<InstanceStatus>),
    /// The project, of which no instance is running.
    Loaded(Box<LoadedProject>),
}

impl Found {
    /// Finds the checkout in `directory`. A running instance is found although its manifest cannot be used.
    fn find(directory: Option<&Path>, selection: &Selection) -> Result<Self, CommandError> {
        let loaded = match LoadedProject::load(directory, selection) {
            Ok(loaded) => loaded,
            Err(error) => {
                let running = Running::find_running(directory).filter(|_| selection.is_empty());
                if let Some(running) = running
                    && let Some(status) = runtime()?.block_on(connection::status(&running))?
                {
                    report(&format!("{}; the running instance is used", error.text()));
                    return Ok(Self::Running(InstanceDir(running.dir()), Box::new(status)));
                }
                return Err(error);
            }
        };
        // A selection changes the ports even while the instance is running.
        if selection.is_empty()
            && loaded.has_running()?
            && let Some(status) = runtime()?.block_on(connection::status(&loaded))?
        {
            return Ok(Self::Running(InstanceDir(loaded.dir()), Box::new(status)));
        }
        Ok(Self::Loaded(Box::new(loaded)))
    }
}

/// Returns the ports of a project that is not running and what follows from them. Ports are chosen, leased
/// and written, so that a later start has the same.
fn resolve(
    loaded: LoadedProject,
    selection: &Selection,
) -> Result<(Project, Allocation), CommandError> {
    let mut registered = loaded.register()?;
    let allocation = allocation::current_or_new(&mut registered, selection, Keep::No)?;
    registered.remember_options()?;
    Ok((registered.project, allocation))
}

/// Returns the main service, or the only one with a port. `services` have a port.
///
/// # Errors
/// When there is no such service.
fn default_service(main: Option<&str>, services: &[&str]) -> Result<String, CommandError> {
    if let Some(main) = main {
        return Ok(main.to_owned());
    }
    match services {
        [only] => Ok((*only).to_owned()),
        [] => Err(CommandError::new(ErrorCode::Usage, "no service has a port")
            .hint("add `port = \"9100-9199\"` to a service in `portway.toml`")),
        _ => Err(CommandError::new(
            ErrorCode::Usage,
            "several services have a port, and none is the main one",
        )
        .hint(format!("name one of them: `{}`", services.join("`, `")))),
    }
}

fn default_of_plan(plan: &Plan) -> Result<String, CommandError> {
    let with_port = plan.services.values().filter(|one| !one.ports.is_empty());
    let names: Vec<&str> = with_port.map(|service| service.name.as_str()).collect();
    default_service(plan.main.as_deref(), &names)
}

fn default_of_running(status: &InstanceStatus) -> Result<String, CommandError> {
    let with_port = status.services.iter().filter(|one| !one.ports.is_empty());
    let names: Vec<&str> = with_port.map(|service| service.name.as_str()).collect();
    default_service(status.main.as_deref(), &names)
}

/// Returns the port of `SERVICE` or `SERVICE.NAME`; without a name, that of the main or only service.
///
/// # Errors
/// When the project cannot be used, or the service is unknown or has no such port.
pub fn port(directory: Option<&Path>, service: Option<&str>) -> Result<PortStatus, CommandError> {
    let selection = Selection::default();
    let checkout = Found::find(directory, &selection)?;
    let wanted = match (service, &checkout) {
        (Some(service), _) => service.to_owned(),
        (None, Found::Running(_, status)) => default_of_running(status)?,
        (None, Found::Loaded(loaded)) => default_of_plan(&loaded.project.plan)?,
    };
    let (service, name) = match wanted.split_once('.') {
        Some((service, name)) => (service, Some(name)),
        None => (wanted.as_str(), None),
    };
    let services = match checkout {
        Found::Running(_, status) => {
            if status.service(service).is_none() {
                return Err(unknown(service, &status));
            }
            status.services
        }
        Found::Loaded(loaded) => {
            loaded.project.known(service)?;
            let (project, allocation) = resolve(*loaded, &selection)?;
            // The result does not contain the process on the preferred port, so it is not searched for.
            service_statuses(&project, &allocation, &HashMap::new())
        }
    };
    services
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
    let (id, service) = match Found::find(directory, &Selection::default())? {
        Found::Running(_, status) => {
            let service = match service {
                Some(service) => service.to_owned(),
                None => default_of_running(&status)?,
            };
            if status.service(&service).is_none() {
                return Err(unknown(&service, &status));
            }
            (status.id, service)
        }
        Found::Loaded(loaded) => {
            let service = match service {
                Some(service) => service.to_owned(),
                None => default_of_plan(&loaded.project.plan)?,
            };
            loaded.project.known(&service)?;
            (loaded.instance_id().to_owned(), service)
        }
    };
    let mut all = client::instances()?;
    portway_gateway::fill_gateway_fields(&mut all, &gateway);
    let services = all
        .into_iter()
        .filter(|one| one.id == id)
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
                    inner: None,
                    observed: false,
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
