//! The way out if the code of a service requires a port that another instance has.

use portway_api::PortConflict;
use portway_detect::{DetectedPort, Detection};
use portway_project::shell::quote;
use portway_registry::Lease;

use super::leaseholder;
use crate::project::RegisteredProject;

/// Returns why a detected service accepts one port only: the file and line that names the port, and how to
/// change it.
pub(super) fn requirement(found: &Detection, service: &str) -> Option<String> {
    let found = found.services.iter().find(|one| one.name == service)?;
    let Some(DetectedPort::Fixed(port)) = found.port else {
        return None;
    };
    let names_port = |one: &&String| {
        one.contains(&format!("requires port {port}"))
            || one.contains(&format!("cannot be changed from {port}"))
    };
    found.evidence.iter().find(names_port).cloned()
}

/// Says how to stop the instance that leases a port, or the process that is using it.
pub(super) fn stop_holder(registered: &mut RegisteredProject, leases: &[Lease]) -> String {
    let holder = leases
        .first()
        .and_then(|lease| leaseholder(registered, lease).ok());
    match holder {
        Some(PortConflict::OtherInstance {
            directory: Some(directory),
            instance,
            running: true,
            ..
        }) => {
            let name = instance.map_or_else(|| "it".to_owned(), |name| format!("`{name}`"));
            format!(
                "or run `portway -C {} down` to stop {name}",
                quote(&directory)
            )
        }
        _ => "or stop what is using the port; `portway ps` lists the instances".to_owned(),
    }
}
