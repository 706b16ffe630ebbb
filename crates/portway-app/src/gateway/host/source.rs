//! What the gateway knows of the machine: the registry, asked again and again.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use portway_gateway::{Known, Source};
use portway_ports::Facts;
use portway_registry::{Liveness, Registry, SqliteRegistry};
use portway_supervisor::control;

use crate::dirs;
use crate::error::CommandError;
use crate::instance::snapshot;

/// All instances of this user.
pub(crate) fn source(facts: Facts) -> Result<Source, CommandError> {
    let registry = Mutex::new(SqliteRegistry::open(&dirs::state_dir()?)?);
    Ok(Arc::new(move || {
        let mut registry = registry.lock().unwrap_or_else(PoisonError::into_inner);
        let instances = registry.instances().map_err(io::Error::other)?;
        let known = instances
            .into_iter()
            .filter(|(.., liveness)| *liveness != Liveness::Gone)
            .map(|(instance, leases, liveness)| {
                let dir = registry.instance_dir(&instance.id);
                Known {
                    socket: (liveness == Liveness::Live).then(|| dir.join(control::SOCKET)),
                    logs: dir.join("logs"),
                    status: snapshot::at_rest(instance, &leases, &facts),
                }
            });
        Ok(known.collect())
    }))
}
