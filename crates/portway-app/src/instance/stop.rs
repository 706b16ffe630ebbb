//! Stops an instance from another process, or waits until it has stopped.

use portway_api::{ErrorCode, Event, InstanceStatus, NoticeLevel, ServiceState, ServiceStatus};
use portway_supervisor::control::Events;
use portway_supervisor::remnants::is_not_stopped;
use tokio::time::sleep;

use super::connection::{POLL_INTERVAL, Supervised, events, request_stop};
use super::follow::ProgressReport;
use super::remnants::with_kill_hint;
use super::response::SupervisorWait;
use crate::error::CommandError;
use crate::reporter::Reporter;

/// Waits until an instance that another command is stopping is gone. `first` is the first status.
pub(super) async fn until_gone(
    instance: &impl Supervised,
    first: &InstanceStatus,
    events: Events,
    reporter: &dyn Reporter,
) -> Result<(), CommandError> {
    let reason = "waiting for another command, such as `portway down`, to stop the services";
    let mut report = ProgressReport::because(reason);
    report.update(first);
    follow_stop(instance, first.pid, events, report, reporter).await
}

/// Follows the shutdown of an instance until its lock is released and all its processes are gone.
pub(crate) async fn until_stopped(
    instance: &impl Supervised,
    events: Events,
    reporter: &dyn Reporter,
) -> Result<(), CommandError> {
    let report = ProgressReport::new();
    follow_stop(instance, None, events, report, reporter).await
}

async fn follow_stop(
    instance: &impl Supervised,
    mut pid: Option<u32>,
    mut events: Events,
    mut report: ProgressReport,
    reporter: &dyn Reporter,
) -> Result<(), CommandError> {
    let progress = reporter.progress();
    let mut not_stopped = Vec::new();
    while let Some(event) = report.next(instance, &mut events).await? {
        match event {
            Event::Notice(notice) if is_not_stopped(&notice) => {
                let service = notice.service.as_ref();
                let subject = service.map_or("the instance".to_owned(), |name| format!("`{name}`"));
                not_stopped.push(format!("{subject} {}", notice.text));
            }
            Event::Notice(notice) if notice.level != NoticeLevel::Info => {
                progress.notice(&notice);
            }
            Event::Status(status) => {
                progress.status(&status);
                pid = status.pid;
            }
            _ => {}
        }
    }
    progress.finish();
    let mut wait = SupervisorWait::new(&instance.dir());
    while instance.is_supervised() {
        // A new supervisor may have started meanwhile; do not wait for that one.
        let now = wait.response(instance.client().status()).await?;
        if now.is_ok_and(|status| status.pid != pid) {
            break;
        }
        wait.exit()?;
        sleep(POLL_INTERVAL).await;
    }
    if !not_stopped.is_empty() {
        let message = not_stopped.join("; ");
        let error = CommandError::new(ErrorCode::Failed, message);
        return Err(with_kill_hint(error));
    }
    Ok(())
}

/// Stops an instance, without a grace period if `now` is set, and waits until it has stopped. Returns
/// false if it was not running.
pub(crate) async fn stop(
    instance: &impl Supervised,
    now: bool,
    reporter: &dyn Reporter,
) -> Result<bool, CommandError> {
    let Some(events) = events(instance).await? else {
        return Ok(false);
    };
    let action = if now { "kill" } else { "stop" };
    request_stop(instance, action, &[]).await?;
    until_stopped(instance, events, reporter).await?;
    Ok(true)
}

/// Returns whether a service has no process and gets none unless it is started again.
pub(super) fn is_stopped(service: &ServiceStatus) -> bool {
    matches!(
        service.state,
        ServiceState::Stopped | ServiceState::Completed | ServiceState::Failed
    )
}

/// Waits until none of `services` is running.
pub(crate) async fn until_services_stopped(
    instance: &impl Supervised,
    mut events: Events,
    services: &[String],
) -> Result<(), CommandError> {
    let mut report = ProgressReport::new();
    while let Some(event) = report.next(instance, &mut events).await? {
        let Event::Status(status) = event else {
            continue;
        };
        let mut relevant = status
            .services
            .iter()
            .filter(|s| services.contains(&s.name));
        if relevant.all(is_stopped) {
            break;
        }
    }
    Ok(())
}
