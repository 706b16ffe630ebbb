//! Follows an instance from another process until it reaches a state.

use std::collections::HashMap;
use std::time::Duration;

use portway_api::{
    ErrorCode, Event, FailureReason, InstanceState, InstanceStatus, NoticeLevel, ServiceState,
    ServiceStatus,
};
use portway_supervisor::control::Events;
use tokio::time::{sleep, timeout};

use super::connection::{POLL_INTERVAL, Supervised, events, request_stop};
use crate::error::CommandError;
use crate::reporter::Reporter;

/// Follows a start, shows its progress, and returns the status once the instance is ready. A failed start
/// stops the instance; the error then contains the last output lines.
pub(crate) async fn until_started(
    mut events: Events,
    reporter: &dyn Reporter,
) -> Result<InstanceStatus, CommandError> {
    let progress = reporter.progress();
    let mut last = None;
    let mut warned = false;
    let mut tails: HashMap<String, Vec<String>> = HashMap::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Notice(notice) => progress.notice(&notice),
            Event::Log(record) => {
                let tail = tails.entry(record.service).or_default();
                tail.push(record.text);
                if tail.len() > MAX_OUTPUT_LINES {
                    tail.remove(0);
                }
            }
            Event::Status(status) => {
                if !warned && !status.services.is_empty() {
                    warned = true;
                    progress.suspend(&mut || reporter.port_warnings(&status));
                }
                progress.status(&status);
                if matches!(status.state, InstanceState::Ready | InstanceState::Degraded) {
                    progress.finish();
                    return Ok(status);
                }
                last = Some(status);
            }
        }
    }
    progress.finish();
    let failed = last.iter().flat_map(|status| &status.services);
    Err(start_failed(failed, |service| {
        tails.get(service).cloned().unwrap_or_default()
    }))
}

/// Maximum number of output lines of a failed service in an error.
const MAX_OUTPUT_LINES: usize = 20;

/// The error of a failed start: each failed service with the reason and its last output lines.
pub(crate) fn start_failed<'a>(
    services: impl IntoIterator<Item = &'a ServiceStatus>,
    tail: impl Fn(&str) -> Vec<String>,
) -> CommandError {
    let failed: Vec<&ServiceStatus> = services
        .into_iter()
        .filter(|service| service.state == ServiceState::Failed)
        .collect();
    if failed.is_empty() {
        return CommandError::new(
            ErrorCode::NotRunning,
            "the instance was stopped before it was ready",
        );
    }
    let messages: Vec<String> = failed
        .iter()
        .map(|service| {
            let why = service.message.as_deref().unwrap_or("failed");
            format!("`{}` {why}", service.name)
        })
        .collect();
    let reasons = failed.iter().filter_map(|service| service.reason.as_ref());
    let code = FailureReason::error_code_of(reasons);
    let mut error = CommandError::new(code, messages.join("; "));
    for service in failed {
        let lines = tail(&service.name);
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(|line| format!("    {line}")).collect();
            error = error.hint(format!("last output lines:\n{}", lines.join("\n")));
        }
        error = error.hint(format!(
            "run `portway logs {}` to see the whole output",
            service.name
        ));
    }
    error
}

/// Waits until `services` are ready or completed. Returns an error as soon as one fails. A service in
/// `fresh` counts only after its state has changed since the given time.
pub(crate) async fn until_ready(
    events: &mut Events,
    services: &[String],
    fresh: &HashMap<String, Option<u64>>,
) -> Result<InstanceStatus, CommandError> {
    while let Some(event) = events.next().await {
        let Event::Status(status) = event else {
            continue;
        };
        let relevant: Vec<&ServiceStatus> = status
            .services
            .iter()
            .filter(|service| services.is_empty() || services.contains(&service.name))
            // Stopped services count only if they are named.
            .filter(|service| !services.is_empty() || service.state != ServiceState::Stopped)
            .collect();
        let is_fresh = |service: &ServiceStatus| {
            fresh
                .get(&service.name)
                .is_none_or(|old| *old != service.since)
        };
        if relevant
            .iter()
            .any(|s| s.state == ServiceState::Failed && is_fresh(s))
        {
            return Err(start_failed(relevant, |_| Vec::new()));
        }
        let ready = |service: &&ServiceStatus| {
            is_fresh(service)
                && matches!(service.state, ServiceState::Ready | ServiceState::Completed)
        };
        let starting = services.is_empty() && status.state == InstanceState::Starting;
        if !starting && relevant.iter().all(ready) {
            return Ok(status);
        }
    }
    Err(CommandError::new(
        ErrorCode::NotRunning,
        "the instance stopped before its services were ready",
    ))
}

/// Runs a future with a timeout.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    future: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    timeout(limit, future).await.unwrap_or_else(|_| {
        let message = format!("{what} after {limit:?}");
        Err(CommandError::new(ErrorCode::Timeout, message)
            .hint("run `portway ps` to see the state, and `portway logs` to see the output"))
    })
}

/// Follows the shutdown of an instance until its lock is released and all its processes are gone.
pub(crate) async fn until_stopped(
    project: &mut impl Supervised,
    mut events: Events,
    reporter: &dyn Reporter,
) -> Result<(), CommandError> {
    let progress = reporter.progress();
    let mut pid = None;
    while let Some(event) = events.next().await {
        match event {
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
    while project.is_supervised()? {
        // A new supervisor may have started meanwhile; do not wait for that one.
        let now = project.client().status().await;
        if now.is_ok_and(|status| status.pid != pid) {
            break;
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Stops an instance, without a grace period if `now` is set, and waits until it has stopped. Returns
/// false if it was not running.
pub(crate) async fn stop(
    instance: &mut impl Supervised,
    now: bool,
    reporter: &dyn Reporter,
) -> Result<bool, CommandError> {
    let Some(events) = events(instance).await? else {
        return Ok(false);
    };
    let action = if now { "kill" } else { "stop" };
    request_stop(&instance.client(), action, &[]).await?;
    until_stopped(instance, events, reporter).await?;
    Ok(true)
}

/// Waits until none of `services` is running.
pub(crate) async fn until_services_stopped(
    mut events: Events,
    services: &[String],
) -> Result<(), CommandError> {
    while let Some(event) = events.next().await {
        let Event::Status(status) = event else {
            continue;
        };
        let is_stopped = |service: &ServiceStatus| {
            matches!(
                service.state,
                ServiceState::Stopped | ServiceState::Completed | ServiceState::Failed
            )
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
