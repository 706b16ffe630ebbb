//! Watching an instance from another process until something has come about.

use std::collections::HashMap;
use std::time::Duration;

use portway_api::{
    ErrorCode, Event, FailureReason, InstanceState, InstanceStatus, NoticeLevel, ServiceState,
    ServiceStatus,
};
use portway_supervisor::control::Events;
use tokio::time::{sleep, timeout};

use super::connection::{POLL_INTERVAL, Supervised, ask_to_end, events};
use crate::error::CommandError;
use crate::reporter::Reporter;

/// Follows a start to its end, telling how it goes, and answers the status that the instance then
/// has. A start that failed has ended the instance; its last words are in the error.
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
                if tail.len() > LAST_LINES {
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

/// How many last lines of a failed service are shown.
const LAST_LINES: usize = 20;

/// The error of a start that failed: who, why, and the last lines of each.
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
    let words: Vec<String> = failed
        .iter()
        .map(|service| {
            let why = service.message.as_deref().unwrap_or("failed");
            format!("`{}` {why}", service.name)
        })
        .collect();
    let reasons = failed.iter().filter_map(|service| service.reason.as_ref());
    let code = FailureReason::error_code_of(reasons);
    let mut error = CommandError::new(code, words.join("; "));
    for service in failed {
        let lines = tail(&service.name);
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(|line| format!("    {line}")).collect();
            error = error.hint(format!("its last lines:\n{}", lines.join("\n")));
        }
        error = error.hint(format!("`portway logs {}` shows all of them", service.name));
    }
    error
}

/// Waits until `services` are ready or done; a service that failed ends the wait.
pub(crate) async fn until_ready(
    events: &mut Events,
    services: &[String],
    fresh: &HashMap<String, Option<u64>>,
) -> Result<InstanceStatus, CommandError> {
    while let Some(event) = events.next().await {
        let Event::Status(status) = event else {
            continue;
        };
        let concerned: Vec<&ServiceStatus> = status
            .services
            .iter()
            .filter(|service| services.is_empty() || services.contains(&service.name))
            // One that was never started is not waited for, unless it was named.
            .filter(|service| !services.is_empty() || service.state != ServiceState::Stopped)
            .collect();
        let is_fresh = |service: &ServiceStatus| {
            fresh
                .get(&service.name)
                .is_none_or(|old| *old != service.since)
        };
        if concerned
            .iter()
            .any(|s| s.state == ServiceState::Failed && is_fresh(s))
        {
            return Err(start_failed(concerned, |_| Vec::new()));
        }
        let ready = |service: &&ServiceStatus| {
            is_fresh(service)
                && matches!(service.state, ServiceState::Ready | ServiceState::Completed)
        };
        let starting = services.is_empty() && status.state == InstanceState::Starting;
        if !starting && concerned.iter().all(ready) {
            return Ok(status);
        }
    }
    Err(CommandError::new(
        ErrorCode::NotRunning,
        "the instance ended meanwhile",
    ))
}

/// Lets a future take so long and no longer.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    future: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    timeout(limit, future).await.unwrap_or_else(|_| {
        let message = format!("{what} after {limit:?}");
        Err(CommandError::new(ErrorCode::Timeout, message)
            .hint("`portway ps` shows what it waits for, `portway logs` why"))
    })
}

/// Follows the end of an instance until its lock is free: then nothing of it is left.
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
        // Somebody may have started the next one meanwhile, which is not waited for.
        let now = project.client().status().await;
        if now.is_ok_and(|status| status.pid != pid) {
            break;
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Stops an instance, at once where `now` says so, and waits until nothing of it is left; false when
/// nothing of it runs.
pub(crate) async fn stop(
    instance: &mut impl Supervised,
    now: bool,
    reporter: &dyn Reporter,
) -> Result<bool, CommandError> {
    let Some(events) = events(instance).await? else {
        return Ok(false);
    };
    let verb = if now { "kill" } else { "stop" };
    ask_to_end(&instance.client(), verb, &[]).await?;
    until_stopped(instance, events, reporter).await?;
    Ok(true)
}

/// Waits until none of `services` runs any more.
pub(crate) async fn until_at_rest(
    mut events: Events,
    services: &[String],
) -> Result<(), CommandError> {
    while let Some(event) = events.next().await {
        let Event::Status(status) = event else {
            continue;
        };
        let at_rest = |service: &ServiceStatus| {
            matches!(
                service.state,
                ServiceState::Stopped | ServiceState::Completed | ServiceState::Failed
            )
        };
        let mut concerned = status
            .services
            .iter()
            .filter(|s| services.contains(&s.name));
        if concerned.all(at_rest) {
            break;
        }
    }
    Ok(())
}
