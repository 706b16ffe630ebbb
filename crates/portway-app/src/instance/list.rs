//! Lists all instances on the machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portway_api::InstanceStatus;
use portway_registry::CheckoutState;
use portway_supervisor::control;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::snapshot;
use crate::allocation::exclusions;
use crate::error::CommandError;
use crate::gateway::state;
use crate::preferences;
use crate::registry::RegistryReader;
use crate::runtime::runtime;

/// Timeout of a supervisor's status; without it, the instance is shown without the state of its services.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// Number of supervisors that are queried concurrently, so that a few unresponsive ones do not delay the
/// others.
const MAX_CONCURRENT: usize = 16;

/// Returns the status of every instance on this machine.
///
/// # Errors
/// If the registry or the state of the gateway cannot be read.
pub fn list() -> Result<Vec<InstanceStatus>, CommandError> {
    // Invalid preferences have been reported already.
    let preferences = preferences::of_user().unwrap_or_default();
    let policy = exclusions::facts(&preferences)?;
    let mut registry = RegistryReader::open()?;
    let instances = registry.instances()?;
    let queries = instances
        .into_iter()
        .filter_map(|(instance, leases, liveness)| {
            let socket = registry.instance_dir(&instance.id).join(control::SOCKET);
            let is_live = match liveness {
                CheckoutState::Running => true,
                CheckoutState::Stopped => false,
                CheckoutState::Missing => return None,
            };
            Some((instance, leases, is_live.then_some(socket)))
        });
    let mut instances = runtime()?.block_on(async {
        let permits = Arc::new(Semaphore::new(MAX_CONCURRENT));
        let queries: Vec<_> = queries
            .map(|(instance, leases, socket)| {
                (
                    instance,
                    leases,
                    socket.map(|socket| tokio::spawn(query_status(socket, permits.clone()))),
                )
            })
            .collect();
        let mut instances = Vec::with_capacity(queries.len());
        for (instance, leases, answer) in queries {
            let status = match answer {
                Some(answer) => answer.await.ok().flatten(),
                None => None,
            };
            instances.push(
                status.unwrap_or_else(|| snapshot::stopped_status(instance, &leases, &policy)),
            );
        }
        instances
    });
    if let Some(gateway) = state::status()? {
        portway_gateway::fill_gateway_fields(&mut instances, &gateway);
    }
    Ok(instances)
}

/// Queries the status of the supervisor at this socket.
async fn query_status(socket: PathBuf, permits: Arc<Semaphore>) -> Option<InstanceStatus> {
    let _permit = permits.acquire().await.ok()?;
    let client = control::Client::new(&socket);
    timeout(STATUS_TIMEOUT, client.status()).await.ok()?.ok()
}
