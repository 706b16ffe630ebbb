//! What the gateway knows of the machine: the registry, asked again and again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use portway_gateway::{InstanceRecord, InstanceSource};
use portway_ports::PortPolicy;
use portway_registry::CheckoutState;
use portway_supervisor::control;

use crate::error::CommandError;
use crate::instance::snapshot;
use crate::registry::RegistryReader;

/// All instances of this user.
pub(crate) fn source(facts: PortPolicy) -> Result<InstanceSource, CommandError> {
    let registry = Mutex::new(RegistryReader::open()?);
    Ok(Arc::new(move || {
        let mut registry = registry.lock().unwrap_or_else(PoisonError::into_inner);
        let instances = registry
            .instances()
            .map_err(|error| io::Error::other(error.info.message))?;
        let known = instances
            .into_iter()
            .filter(|(.., liveness)| *liveness != CheckoutState::Missing)
            .map(|(instance, leases, liveness)| {
                let dir = registry.instance_dir(&instance.id);
                InstanceRecord {
                    socket: (liveness == CheckoutState::Running).then(|| dir.join(control::SOCKET)),
                    log_dir: dir.join("logs"),
                    status: snapshot::stopped_status(instance, &leases, &facts),
                }
            });
        Ok(known.collect())
    }))
}
