//! The instances that the gateway serves, read from the registry.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use portway_gateway::{InstanceRecord, InstanceSource};
use portway_ports::PortPolicy;
use portway_registry::CheckoutState;
use portway_supervisor::control;

use crate::error::CommandError;
use crate::instance::snapshot;
use crate::registry::RegistryReader;

/// Returns a source that reads all instances of this user on each call.
pub(crate) fn source(policy: PortPolicy) -> Result<InstanceSource, CommandError> {
    let registry = Mutex::new(RegistryReader::open()?);
    Ok(Arc::new(move || {
        let mut registry = registry.lock().unwrap_or_else(PoisonError::into_inner);
        let instances = registry.instances().map_err(io::Error::other)?;
        let records = instances
            .into_iter()
            .filter(|(.., liveness)| *liveness != CheckoutState::Missing)
            .map(|(instance, leases, liveness)| {
                let dir = registry.instance_dir(&instance.id);
                InstanceRecord {
                    socket: (liveness == CheckoutState::Running).then(|| dir.join(control::SOCKET)),
                    log_dir: dir.join("logs"),
                    status: snapshot::stopped_status(instance, &leases, &policy),
                }
            });
        Ok(records.collect())
    }))
}
