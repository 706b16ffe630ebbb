//! Commands to a running instance: stop, restart, wait.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use portway_api::InstanceStatus;
use tokio::time::Instant;

use super::Running;
use super::attach;
use super::connection::{self, Supervised, not_running};
use super::containers;
use super::remnants::{self, Mode};
use super::stop;
use crate::allocation;
use crate::error::CommandError;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// What [`down`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// It stopped the instance of this name.
    Instance(String),
    /// It stopped services of the instance.
    Services {
        /// The named services that it stopped.
        stopped: Vec<String>,
        /// The named services that were not running.
        idle: Vec<String>,
    },
    /// The instance was not running.
    NothingRunning,
}

/// Stops `services`, or the whole instance if the list is empty. `now` kills without a grace period.
///
/// # Errors
/// If the directory has no project and no running instance, or a service is unknown.
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
    if let Some(difference) = running.difference() {
        reporter.info(&difference);
    }
    if services.is_empty() {
        let (name, was_running) = runtime()?.block_on(async {
            let name = running.name().await;
            let was_running = stop::stop(&running, now, reporter).await?;
            Ok::<_, CommandError>((name, was_running))
        })?;
        // A killed supervisor leaves keepers, and processes if they were killed, too.
        let dir = running.dir();
        let is_supervised = || running.is_supervised();
        let mode = if now { Mode::Kill } else { Mode::Stop };
        let settled = remnants::settle(&dir, mode, Some(reporter), is_supervised);
        if !settled.stuck.is_empty() {
            return Err(remnants::stuck_error(&settled.stuck));
        }
        let had_containers = containers::remove(&dir, reporter, is_supervised);
        return Ok(match was_running || settled.found || had_containers {
            true => Down::Instance(name),
            false => Down::NothingRunning,
        });
    }
    runtime()?.block_on(async {
        let Some(events) = connection::events(&running).await? else {
            return Ok(Down::NothingRunning);
        };
        let before = connection::status(&running).await?;
        let is_stopped = |name: &String| {
            let service = before.as_ref().and_then(|status| status.service(name));
            service.is_some_and(stop::is_stopped)
        };
        let (idle, stopped) = services.iter().cloned().partition(is_stopped);
        connection::request_stop(&running, "stop", services).await?;
        stop::until_services_stopped(&running, events, services).await?;
        Ok(Down::Services { stopped, idle })
    })
}

/// Restarts `services`, or all if the list is empty. Returns the status once they are ready.
///
/// # Errors
/// If the instance is not running, a service is unknown, or one fails.
pub fn restart(
    directory: Option<&Path>,
    services: &[String],
    reporter: &dyn Reporter,
) -> Result<InstanceStatus, CommandError> {
    let running = Running::open(directory, reporter)?;
    for name in services {
        running.known(name)?;
    }
    running.check_start()?;
    runtime()?.block_on(async {
        let Some(mut events) = connection::events(&running).await? else {
            return Err(not_running());
        };
        let before = connection::status(&running).await?;
        let before = before.ok_or_else(not_running)?;
        let since: HashMap<String, Option<u64>> = before
            .services
            .into_iter()
            .filter(|service| services.is_empty() || services.contains(&service.name))
            .map(|service| (service.name, service.since))
            .collect();
        connection::request(&running, "restart", services).await?;
        attach::until_ready(&running, None, &mut events, services, &since).await
    })
}

/// Waits until `services`, or all that were started if the list is empty, are ready.
///
/// # Errors
/// If `timeout` has passed, a service fails, or a service is unknown.
pub fn wait(
    directory: Option<&Path>,
    services: &[String],
    timeout: Duration,
    reporter: &dyn Reporter,
) -> Result<InstanceStatus, CommandError> {
    let running = Running::open(directory, reporter)?;
    for name in services {
        running.known(name)?;
    }
    running.check()?;
    running.check_network()?;
    runtime()?.block_on(async {
        // `portway wait` may run before `portway up` has created its supervisor.
        connection::wait_for_supervisor(&running, Instant::now() + timeout).await?;
        let ready = async {
            let Some(mut events) = connection::events(&running).await? else {
                return Err(not_running());
            };
            let status = connection::status(&running).await?;
            let status = status.ok_or_else(not_running)?;
            if let Some(name) = services.iter().find(|name| status.service(name).is_none()) {
                return Err(allocation::changed(name));
            }
            attach::until_ready(&running, None, &mut events, services, &HashMap::new()).await
        };
        attach::within(timeout, "the services are not ready", ready).await
    })
}
