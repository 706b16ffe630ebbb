//! Ports that the user requires, on the command line or in `.ports.json`.

use std::collections::HashMap;

use portway_api::ErrorCode;
use portway_project::{PortsFile, wiring};
use portway_registry::{Lease, Registry};

use crate::error::CommandError;
use crate::options::Selection;
use crate::project::{Project, RegisteredProject};

/// Identifies a port: the service and the port's name, which is empty for the only port.
pub(super) type PortKey = (String, String);

pub(super) fn port_keys(project: &Project) -> Vec<(PortKey, String)> {
    let mut keys = Vec::new();
    for service in project.plan.services.values() {
        for (index, port) in service.ports.iter().enumerate() {
            let name = port.name.clone().unwrap_or_default();
            keys.push(((service.name.clone(), name), service.port_key(index)));
        }
    }
    keys
}

/// Returns the ports that the user requires.
///
/// A port in the file is required if Portway did not write it. It stays required until the user removes
/// it, even after Portway rewrites the file, so the registry stores it with the lease. A file copied from
/// another checkout contains what Portway wrote there and requires nothing.
pub(super) fn required_ports(
    registered: &mut RegisteredProject,
    file: Option<&PortsFile>,
    selection: &Selection,
) -> Result<HashMap<PortKey, u16>, CommandError> {
    let keys = port_keys(&registered.project);
    let mut required = HashMap::new();
    if let Some(file) = file {
        let root = &registered.project.checkout.root;
        let ports = file.ports(root, keys.iter().map(|(_, json)| json.as_str()))?;
        let id = &registered.instance.id;
        for service in registered.project.plan.services.values() {
            if service.health_path.is_some() {
                file.check_local_url(root, &wiring::health_key(&service.name))?;
            }
        }
        let last = registered.registry.last_written(id)?.ports();
        let leases = registered.registry.leases(id)?;
        let by_portway = ports != last && registered.registry.was_written(&ports)?;
        for ((service, name), json) in &keys {
            let Some(&port) = ports.get(json) else {
                continue;
            };
            let port = if last.get(json) == Some(&port) {
                let own = |lease: &&Lease| lease.service == *service && lease.name == *name;
                leases.iter().find(own).and_then(|lease| lease.forced_port)
            } else {
                (!by_portway).then_some(port)
            };
            if let Some(port) = port {
                required.insert((service.clone(), name.clone()), port);
            }
        }
    }
    for (service, port) in &selection.ports {
        let (service, name) = service.split_once('.').unwrap_or((service, ""));
        registered.project.known(service)?;
        let planned = &registered.project.plan.services[service].ports;
        let chosen = planned
            .iter()
            .find(|port| name.is_empty() || port.name.as_deref() == Some(name))
            .ok_or_else(|| {
                let message = if name.is_empty() {
                    format!("`{service}` has no port")
                } else {
                    format!("`{service}` has no port `{name}`")
                };
                CommandError::new(ErrorCode::Usage, message)
            })?;
        let name = chosen.name.clone().unwrap_or_default();
        required.insert((service.to_owned(), name), *port);
    }
    Ok(required)
}
