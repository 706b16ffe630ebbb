//! What a person forces.

use std::collections::HashMap;

use portway_api::ErrorCode;
use portway_project::{PortsFile, wiring};
use portway_registry::{Lease, Registry};

use crate::error::CommandError;
use crate::options::Selection;
use crate::project::Project;

/// Identifies a port: the service, and the port's name within it (empty for the only one).
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

/// The ports that a person forces: on the command line, or in `.ports.json`.
///
/// A port in the file is forced when Portway did not put it there. It stays forced until a person
/// takes it out again, although Portway itself has written the file since then; so the registry
/// remembers the wish with the lease. A file that was copied from another checkout holds what
/// Portway wrote there, and forces nothing.
pub(super) fn wishes(
    project: &mut Project,
    file: Option<&PortsFile>,
    selection: &Selection,
) -> Result<HashMap<PortKey, u16>, CommandError> {
    let keys = port_keys(project);
    let mut wishes = HashMap::new();
    if let Some(file) = file {
        let root = &project.checkout.root;
        let ports = file.ports(root, keys.iter().map(|(_, json)| json.as_str()))?;
        let id = &project.instance.id;
        for service in project.plan.services.values() {
            if service.health_path.is_some() {
                file.check_local_url(root, &wiring::health_key(&service.name))?;
            }
        }
        let last = project.registry.last_written(id)?.ports();
        let leases = project.registry.leases(id)?;
        let by_portway = ports != last && project.registry.was_written(&ports)?;
        for ((service, name), json) in &keys {
            let Some(&port) = ports.get(json) else {
                continue;
            };
            let wish = if last.get(json) == Some(&port) {
                let own = |lease: &&Lease| lease.service == *service && lease.name == *name;
                leases.iter().find(own).and_then(|lease| lease.forced_port)
            } else {
                (!by_portway).then_some(port)
            };
            if let Some(wish) = wish {
                wishes.insert((service.clone(), name.clone()), wish);
            }
        }
    }
    for (service, port) in &selection.ports {
        let (service, name) = service.split_once('.').unwrap_or((service, ""));
        project.known(service)?;
        let planned = &project.plan.services[service].ports;
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
        wishes.insert((service.to_owned(), name), *port);
    }
    Ok(wishes)
}
