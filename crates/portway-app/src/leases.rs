//! Lists and releases leases.

use portway_api::{ErrorCode, LeaseEntry};
use portway_project::shell::quote;
use portway_registry::{CheckoutState, Instance, Lease, Registry};

use crate::error::CommandError;
use crate::inspect::port_lease;
use crate::registry::RegistryReader;

/// Returns all leases, sorted by port.
///
/// # Errors
/// When the registry cannot be read.
pub fn list() -> Result<Vec<LeaseEntry>, CommandError> {
    let mut registry = RegistryReader::open()?;
    let mut entries: Vec<LeaseEntry> = registry
        .instances()?
        .iter()
        .flat_map(|(instance, leases, liveness)| {
            leases.iter().map(|lease| entry(instance, lease, *liveness))
        })
        .collect();
    entries.sort_by_key(|entry| entry.port);
    Ok(entries)
}

/// Releases the leases of `ports`, and returns them.
///
/// # Errors
/// When a port belongs to a running instance, no port has a lease, or the registry cannot be
/// written.
pub fn forget(ports: &[u16]) -> Result<Vec<LeaseEntry>, CommandError> {
    let mut registry = RegistryReader::open()?;
    let found = match registry.get()? {
        Some(registry) => {
            registry.allow_writes()?;
            registry.release(ports)?
        }
        None => Vec::new(),
    };
    if let Some((instance, lease, _)) = found
        .iter()
        .find(|(.., liveness)| *liveness == CheckoutState::Running)
    {
        return Err(CommandError::new(
            ErrorCode::Refused,
            format!(
                "port {} belongs to `{}` of `{}`, which is running",
                lease.port, lease.service, instance.name
            ),
        )
        .hint(format!(
            "stop it first: run `portway -C {} down`",
            quote(&instance.dir.to_string_lossy())
        )));
    }
    if found.is_empty() {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        return Err(CommandError::new(
            ErrorCode::NotFound,
            format!("no service has a lease on {}", ports.join(", ")),
        )
        .hint("run `portway leases` to list all leases"));
    }
    Ok(found
        .iter()
        .map(|(instance, lease, liveness)| entry(instance, lease, *liveness))
        .collect())
}

/// Creates the report of a lease.
pub(crate) fn entry(instance: &Instance, lease: &Lease, liveness: CheckoutState) -> LeaseEntry {
    LeaseEntry {
        port: lease.port,
        lease: port_lease(instance, lease, liveness),
        forced: lease.forced_port.filter(|port| *port != lease.port),
    }
}
