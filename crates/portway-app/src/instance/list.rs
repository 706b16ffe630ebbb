//! All instances of the machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portway_api::InstanceStatus;
use portway_registry::{CheckoutState, Registry, SqliteRegistry};
use portway_supervisor::control;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::snapshot;
use crate::allocation::exclusions;
use crate::error::CommandError;
use crate::gateway::state;
use crate::runtime::runtime;
use crate::{dirs, preferences};

/// A supervisor that does not answer within this time is shown without its services' states.
const ANSWER: Duration = Duration::from_secs(2);

/// How many supervisors are asked at the same time: a few that hang shall not hold up the others,
/// and hundreds shall not wait for one another while the time of each runs.
const AT_ONCE: usize = 16;

/// Returns the status of every instance of this machine.
///
/// # Errors
/// When the registry or the state of the gateway cannot be read.
pub fn list() -> Result<Vec<InstanceStatus>, CommandError> {
    // That they are broken has been said.
    let preferences = preferences::read_user().unwrap_or_default();
    let facts = exclusions::facts(&preferences)?;
    let mut registry = SqliteRegistry::open(&dirs::state_dir()?)?;
    let known = registry.instances()?;
    let asked = known
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
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let asked: Vec<_> = asked
            .map(|(instance, leases, socket)| {
                (
                    instance,
                    leases,
                    socket.map(|socket| tokio::spawn(ask(socket, turns.clone()))),
                )
            })
            .collect();
        let mut instances = Vec::with_capacity(asked.len());
        for (instance, leases, answer) in asked {
            let status = match answer {
                Some(answer) => answer.await.ok().flatten(),
                None => None,
            };
            instances.push(status.unwrap_or_else(|| snapshot::at_rest(instance, &leases, &facts)));
        }
        instances
    });
    if let Some(gateway) = state::status()? {
        portway_gateway::fill_gateway_fields(&mut instances, &gateway);
    }
    Ok(instances)
}

/// What the supervisor at this socket says, if it answers in time.
async fn ask(socket: PathBuf, turns: Arc<Semaphore>) -> Option<InstanceStatus> {
    let _turn = turns.acquire().await.ok()?;
    let client = control::Client::new(&socket);
    timeout(ANSWER, client.status()).await.ok()?.ok()
}
