//! Commands to a running instance: stop, restart, wait.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use portway_api::InstanceStatus;
use tokio::time::Instant;

use super::Running;
use super::attach;
use super::connection::{self, Supervised, not_running};
use crate::error::CommandError;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// What [`down`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// The instance of this name is stopped.
    Instance(String),
    /// The services that were named are stopped.
    Services,
    /// The instance was not running.
    NothingRunning,
}

/// Stops `services`, or the whole instance where none is named; `now` kills without grace.
///
/// # Errors
/// When the directory has no project and no running instance, or a service is unknown.
pub fn down(
    directory: Option<&Path>,
    services: &[String],
    now: bool,
    reporter: &dyn Reporter,
) -> Result<Down, CommandError> {
    let mut running = Running::open(directory, reporter)?;
    for name in services {
        running.known(name)?;
    }
    runtime()?.block_on(async {
        if services.is_empty() {
            return Ok(match attach::stop(&mut running, now, reporter).await? {
                true => Down::Instance(running.name()?),
                false => Down::NothingRunning,
            });
        }
        let Some(events) = connection::events(&mut running).await? else {
            return Ok(Down::NothingRunning);
        };
        connection::ask_to_end(&running.client(), "stop", services).await?;
        attach::until_at_rest(events, services).await?;
        Ok(Down::Services)
    })
}

/// Restarts `services`, or all where none is named. Returns the status once they are ready.
///
/// # Errors
/// When the instance is not running, a service is unknown, or one fails.
pub fn restart(
    directory: Option<&Path>,
    services: &[String],
    reporter: &dyn Reporter,
) -> Result<InstanceStatus, CommandError> {
    let mut running = Running::open(directory, reporter)?;
    for name in services {
        running.known(name)?;
    }
    runtime()?.block_on(async {
        let Some(mut events) = connection::events(&mut running).await? else {
            return Err(not_running());
        };
        let client = running.client();
        let before = client.status().await.map_err(|_| not_running())?;
        let since: HashMap<String, Option<u64>> = before
            .services
            .into_iter()
            .filter(|service| services.is_empty() || services.contains(&service.name))
            .map(|service| (service.name, service.since))
            .collect();
        connection::ask(&client, "restart", services).await?;
        attach::until_ready(&mut events, services, &since).await
    })
}

/// Waits until `services` are ready, or everything that was started where none is named.
///
/// # Errors
/// When `timeout` has passed, a service fails, or a service is unknown.
pub fn wait(
    directory: Option<&Path>,
    services: &[String],
    timeout: Duration,
    reporter: &dyn Reporter,
) -> Result<InstanceStatus, CommandError> {
    let mut running = Running::open(directory, reporter)?;
    for name in services {
        running.known(name)?;
    }
    runtime()?.block_on(async {
        // `portway wait` may run before `portway up` has created its supervisor.
        connection::appeared(&mut running, Instant::now() + timeout).await?;
        let ready = async {
            let Some(mut events) = connection::events(&mut running).await? else {
                return Err(not_running());
            };
            attach::until_ready(&mut events, services, &HashMap::new()).await
        };
        attach::within(timeout, "not ready", ready).await
    })
}
