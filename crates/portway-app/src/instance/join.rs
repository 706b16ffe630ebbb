//! Joins an instance that another process supervises: applies what has changed, and follows it until its
//! services are ready.

use std::collections::HashMap;

use portway_api::{
    ApplyRequest, ChangeAction, ChangePlan, ErrorCode, InstanceState, InstanceStatus, ServiceState,
};
use portway_project::manifest::FILE_NAME;
use portway_supervisor::control::Events;

use super::attach;
use super::connection::{self, Supervised};
use super::follow;
use super::remember;
use super::stop;
use super::supervise::Background;
use crate::error::CommandError;
use crate::gateway::client;
use crate::options::UpOptions;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// When services entered their states, by name.
type StateTimes = HashMap<String, Option<u64>>;

/// The first status of an instance, and the events that follow it.
type Followed = (InstanceStatus, Events);

/// Starts to follow an instance. If another command is stopping it, waits for its end, unless this command
/// has just started it (`is_own`). `None` if it has stopped.
async fn follow(
    instance: &impl Supervised,
    is_own: bool,
    reporter: &dyn Reporter,
) -> Result<Option<Followed>, CommandError> {
    let Some(mut events) = connection::events(instance).await? else {
        return Ok(None);
    };
    let Some(first) = follow::next_status(instance, &mut events).await? else {
        return Ok(None);
    };
    if first.state == InstanceState::Stopping && !is_own {
        stop::until_gone(instance, &first, events, reporter).await?;
        return Ok(None);
    }
    Ok(Some((first, events)))
}

/// Follows the instance that this command has started in the background until `services` are ready or
/// have failed. Returns false if it stopped before it could be followed.
pub(super) fn started(
    instance: &impl Supervised,
    services: &[String],
    background: Background,
    reporter: &dyn Reporter,
) -> Result<bool, CommandError> {
    runtime()?.block_on(async {
        let Some((first, mut events)) = follow(instance, true, reporter).await? else {
            // It may have failed before it could be followed.
            return background.failure().map_or(Ok(false), Err);
        };
        let started = attach::until_started(instance, first, &mut events, true, reporter).await;
        let mut status = started.map_err(|error| background.failure().unwrap_or(error))?;
        let failed = attach::failed_services(&status, services);
        if !failed.is_empty() {
            client::add_urls(&mut status).await;
            reporter.started(&status);
            return Err(attach::services_failed(&failed, true));
        }
        let first = Some(status);
        let fresh = StateTimes::new();
        let status = attach::until_ready(instance, first, &mut events, services, &fresh).await?;
        let status = finish(instance, status, reporter).await;
        reporter.ready(&status, false);
        Ok(true)
    })
}

/// Applies what has changed to the running instance, starts the selected services that are not running,
/// and follows them until they are ready. Returns false if another command has stopped the instance.
/// `is_detected` tells whether the services were detected because there is no manifest.
pub(super) fn running(
    instance: &impl Supervised,
    is_detected: bool,
    options: &UpOptions,
    reporter: &dyn Reporter,
) -> Result<bool, CommandError> {
    runtime()?.block_on(async {
        let Some((first, mut events)) = follow(instance, false, reporter).await? else {
            return Ok(false);
        };
        if is_detected
            && let Some(status) = connection::status(instance).await?
            && status.changed_files.iter().any(|file| file == FILE_NAME)
        {
            reporter.warning(&format!(
                "`{FILE_NAME}` was deleted; the services are detected now"
            ));
        }
        let request = request(instance, options, &first, false)?;
        let plan = match connection::apply(instance, &request).await {
            Ok(plan) => plan,
            // It has just been stopped.
            Err(error) if error.info.code == ErrorCode::NotRunning => return Ok(false),
            Err(error) => return Err(error),
        };
        reporter.changes(&plan);
        let changed = plan.with_action(&[ChangeAction::Start, ChangeAction::Restart]);
        let fresh: StateTimes = first
            .services
            .iter()
            .filter(|service| {
                // One that waits for a service that failed follows it.
                changed.contains(&service.name)
                    || (service.state == ServiceState::Waiting && service.has_failed())
            })
            .map(|service| (service.name.clone(), service.since))
            .collect();
        let status = attach::until_started(instance, first, &mut events, false, reporter).await?;
        let removed = plan.with_action(&[ChangeAction::Stop]);
        let status = until_removed(instance, status, &mut events, &removed).await?;
        let services = plan.with_action(&[
            ChangeAction::Start,
            ChangeAction::Restart,
            ChangeAction::Keep,
        ]);
        let first = Some(status);
        let status = attach::until_ready(instance, first, &mut events, &services, &fresh).await?;
        let status = finish(instance, status, reporter).await;
        // What the start of the others reported is not repeated.
        let mut new = status.clone();
        new.services
            .retain(|service| changed.contains(&service.name));
        reporter.port_warnings(&new);
        reporter.running(&status);
        Ok(true)
    })
}

/// Waits until the instance has none of the `removed` services.
async fn until_removed(
    instance: &impl Supervised,
    first: InstanceStatus,
    events: &mut Events,
    removed: &[String],
) -> Result<InstanceStatus, CommandError> {
    let mut report = follow::ProgressReport::new();
    let mut status = first;
    while removed.iter().any(|name| status.service(name).is_some()) {
        match report.next_status(instance, events).await? {
            Some(next) => status = next,
            // The caller reports that it has stopped.
            None => break,
        }
    }
    Ok(status)
}

/// Remembers the options of a command that has succeeded, and adds the gateway's URLs to the status.
async fn finish(
    instance: &impl Supervised,
    mut status: InstanceStatus,
    reporter: &dyn Reporter,
) -> InstanceStatus {
    if let Err(error) = remember::now(instance) {
        // The services are running.
        reporter.warning(&format!(
            "{}; the enabled optional services are not remembered",
            error.text()
        ));
    }
    client::add_urls(&mut status).await;
    status
}

/// Returns what `portway up` would change in a running instance; `None` if it has just stopped.
pub(super) fn dry_run(
    instance: &impl Supervised,
    options: &UpOptions,
) -> Result<Option<ChangePlan>, CommandError> {
    let plan = runtime()?.block_on(async {
        let Some(status) = connection::status(instance).await? else {
            return Ok(None);
        };
        let request = request(instance, options, &status, true)?;
        connection::apply(instance, &request).await.map(Some)
    });
    match plan {
        Err(error) if error.info.code == ErrorCode::NotRunning => Ok(None),
        other => other,
    }
}

fn request(
    instance: &impl Supervised,
    options: &UpOptions,
    status: &InstanceStatus,
    dry_run: bool,
) -> Result<ApplyRequest, CommandError> {
    let selection = &options.selection;
    let mut without = selection.without.clone();
    let mut failed = remember::failed(instance, status)?;
    failed.retain(|name| !selection.with.contains(name));
    without.extend(failed);
    Ok(ApplyRequest {
        services: options.services.clone(),
        with: selection.with.clone(),
        without,
        ports: selection.ports.iter().cloned().collect(),
        moved: options.moved.clone(),
        dry_run,
    })
}
