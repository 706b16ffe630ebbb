//! Lists all instances on the machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use portway_api::{InstanceState, InstanceStatus, ServiceState};
use portway_registry::{CheckoutState, RunningRecord, SqliteRegistry};
use portway_supervisor::control;
use portway_supervisor::mark::Mark;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::locate::is_supervised;
use super::response::supervisor_pid;
use super::snapshot;
use crate::allocation::exclusions;
use crate::error::CommandError;
use crate::gateway::state;
use crate::preferences;
use crate::registry::RegistryReader;
use crate::runtime::runtime;

/// Timeout of a supervisor's status; without it, the instance is shown without the state of its services.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a supervisor may take to restore what was deleted: it checks once per second.
const RESTORE_TIMEOUT: Duration = Duration::from_secs(3);

const RESTORE_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Number of supervisors that are queried concurrently, so that a few unresponsive ones do not delay the
/// others.
const MAX_CONCURRENT: usize = 16;

/// Returns the status of every instance on this machine.
///
/// # Errors
/// If the registry or the state of the gateway cannot be read.
pub fn list() -> Result<Vec<InstanceStatus>, CommandError> {
    // Invalid preferences have been reported already.
    let preferences = preferences::read_user().unwrap_or_default();
    let policy = exclusions::policy(&preferences)?;
    let mut registry = RegistryReader::open()?;
    wait_until_restored(&registry);
    let instances = registry.instances()?;
    let queries = instances
        .into_iter()
        .filter(|(.., state)| *state != CheckoutState::Missing)
        .map(|(instance, leases, _)| {
            let dir = registry.instance_dir(&instance.id);
            // A command that uses the ports without a supervisor has no status.
            let dir = is_supervised(&dir).then_some(dir);
            (instance, leases, dir)
        });
    let mut instances = runtime()?.block_on(async {
        let permits = Arc::new(Semaphore::new(MAX_CONCURRENT));
        let queries: Vec<_> = queries
            .map(|(instance, leases, dir)| {
                let query = dir.map(|dir| tokio::spawn(query_status(dir, permits.clone())));
                (instance, leases, query)
            })
            .collect();
        let mut instances = Vec::with_capacity(queries.len());
        for (instance, leases, query) in queries {
            let response = match query {
                Some(query) => query.await.unwrap_or(Response::None),
                None => Response::None,
            };
            let silent = |state, service| {
                snapshot::silent_status(instance.clone(), &leases, &policy, state, service)
            };
            instances.push(match response {
                Response::Status(status) => *status,
                Response::None => silent(InstanceState::Stopped, ServiceState::Stopped),
                Response::Starting => silent(InstanceState::Starting, ServiceState::Waiting),
                Response::Silent(pid) => InstanceStatus {
                    pid,
                    ..silent(InstanceState::Unresponsive, ServiceState::Unknown)
                },
            });
        }
        instances
    });
    if let Some(gateway) = state::status()? {
        portway_gateway::fill_gateway_fields(&mut instances, &gateway);
    }
    Ok(instances)
}

/// Waits until the running supervisors have restored a state directory that was deleted.
fn wait_until_restored(registry: &RegistryReader) {
    if SqliteRegistry::exists(registry.state_dir()) {
        return;
    }
    let is_lost = |mark: &Mark| {
        mark.dir == registry.instance_dir(mark.instance_id())
            && RunningRecord::read(&mark.dir).is_none()
            && control::is_served(&mark.dir.join(control::SOCKET))
    };
    let marks = portway_supervisor::process::pids().into_iter();
    let lost: Vec<Mark> = marks.filter_map(Mark::read).filter(is_lost).collect();
    let deadline = Instant::now() + RESTORE_TIMEOUT;
    while lost.iter().any(is_lost) && Instant::now() < deadline {
        thread::sleep(RESTORE_POLL_INTERVAL);
    }
}

/// What the supervisor of an instance responds.
enum Response {
    Status(Box<InstanceStatus>),
    /// There is no supervisor.
    None,
    /// It does not serve its socket yet.
    Starting,
    /// It does not respond. Its pid, if that is known.
    Silent(Option<u32>),
}

/// Queries the supervisor of the instance with this directory.
async fn query_status(dir: PathBuf, permits: Arc<Semaphore>) -> Response {
    let Ok(_permit) = permits.acquire().await else {
        return Response::None;
    };
    let client = control::Client::new(&dir.join(control::SOCKET));
    match timeout(STATUS_TIMEOUT, client.status()).await {
        Ok(Ok(status)) => Response::Status(Box::new(status)),
        Ok(Err(_)) if !is_supervised(&dir) => Response::None,
        Ok(Err(_)) => Response::Starting,
        Err(_) => Response::Silent(supervisor_pid(&dir, RunningRecord::read(&dir).as_ref())),
    }
}
