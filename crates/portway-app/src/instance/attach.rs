//! Follows an instance from another process until it reaches a state.

use std::collections::HashMap;
use std::time::Duration;

use portway_api::{
    ErrorCode, Event, FailureReason, InstanceState, InstanceStatus, NoticeLevel, ServiceState,
    ServiceStatus,
};
use portway_detect::toolchain::install_hint;
use portway_supervisor::control::Events;
use tokio::time::timeout;

use super::causes;
use super::connection::Supervised;
use super::follow::{ProgressReport, next};
use crate::error::{CommandError, FailedServices};
use crate::reporter::Reporter;

/// Returns whether every service of an instance in this state is ready or has failed.
pub(super) fn is_started(state: InstanceState) -> bool {
    matches!(state, InstanceState::Ready | InstanceState::Degraded)
}

/// Follows a start, shows its progress, and returns the status once every service is ready or has
/// failed. If none is left, the instance stops, which is an error. `first` is the first status. `is_new`
/// says that this command started the instance.
pub(crate) async fn until_started(
    instance: &impl Supervised,
    first: InstanceStatus,
    events: &mut Events,
    is_new: bool,
    reporter: &dyn Reporter,
) -> Result<InstanceStatus, CommandError> {
    let progress = reporter.progress();
    let mut failed = Vec::new();
    let mut warned = !is_new;
    let mut event = Some(Event::Status(Box::new(first)));
    while let Some(current) = event {
        match current {
            // The error of the command names the services that failed.
            Event::Notice(notice) if notice.level == NoticeLevel::Error => {}
            Event::Notice(notice) => progress.notice(&notice),
            Event::Log(_) => {}
            Event::Status(status) => {
                if !warned && !status.services.is_empty() {
                    warned = true;
                    progress.suspend(&mut || reporter.port_warnings(&status));
                }
                progress.status(&status);
                if is_started(status.state) {
                    progress.finish();
                    return Ok(*status);
                }
                failed = status.services;
                failed.retain(ServiceStatus::has_failed);
            }
        }
        event = next(instance, events).await?;
    }
    progress.finish();
    Err(if failed.is_empty() {
        CommandError::new(
            ErrorCode::NotRunning,
            "the instance was stopped before it was ready",
        )
    } else {
        services_failed(&failed, false)
    })
}

/// The error of a command for services that failed: each with the reason, its last lines of output
/// and what to do. `is_running`: the instance is running without them.
pub(super) fn services_failed(failed: &[ServiceStatus], is_running: bool) -> CommandError {
    let waits = |service: &&ServiceStatus| service.state == ServiceState::Waiting;
    let causes: Vec<&ServiceStatus> = failed.iter().filter(|one| !waits(one)).collect();
    let waiting = failed.iter().filter(waits);
    let messages: Vec<String> = causes.iter().copied().chain(waiting).map(failure).collect();
    // Without any service, a missing program is the reason why nothing works.
    let code = if is_running {
        ErrorCode::ServiceFailed
    } else {
        FailureReason::error_code_of(causes.iter().filter_map(|one| one.reason.as_ref()))
    };
    let reasons = causes
        .iter()
        .filter_map(|one| Some((one.name.clone(), one.reason.clone()?)));
    let mut error =
        CommandError::new(code, messages.join("; ")).with_source(FailedServices(reasons.collect()));
    for service in &causes {
        let lines = last_lines(service);
        if !lines.is_empty() {
            let title = match causes.len() {
                1 => "last output lines".to_owned(),
                _ => format!("last lines of output of `{}`", service.name),
            };
            error = error.hint(format!("{title}:\n{}", lines.join("\n")));
        }
        if let Some(known) = causes::way_out(service) {
            error = error.hint(known);
        }
        error = error.hint(way_out(service));
    }
    if is_running {
        error = error.hint("the instance keeps running; run `portway down` to stop it");
    }
    error
}

/// The failures of services that were reported.
#[derive(Default)]
pub(super) struct Failures {
    reported: HashMap<String, (Option<u64>, Option<FailureReason>)>,
}

impl Failures {
    /// Returns the services that have failed since the last call, those that only wait for others
    /// last.
    pub(super) fn update<'a>(&mut self, services: &'a [ServiceStatus]) -> Vec<&'a ServiceStatus> {
        let mut new = Vec::new();
        for service in services {
            if !service.has_failed() {
                continue;
            }
            let failure = (service.since, service.reason.clone());
            if self.reported.get(&service.name) != Some(&failure) {
                self.reported.insert(service.name.clone(), failure);
                new.push(service);
            }
        }
        new.sort_by_key(|service| service.state == ServiceState::Waiting);
        new
    }
}

/// Returns those of `services` that have failed.
pub(super) fn failed_services(status: &InstanceStatus, services: &[String]) -> Vec<ServiceStatus> {
    let all = status.services.iter();
    all.filter(|service| services.contains(&service.name) && service.has_failed())
        .cloned()
        .collect()
}

/// Returns what happened to a service that failed.
pub fn failure(service: &ServiceStatus) -> String {
    let reason = service.message.as_deref().unwrap_or("failed");
    format!("`{}` {reason}", service.name)
}

/// Returns the last lines of a service that failed, indented. None if it printed only the line that its
/// failure has.
pub fn last_lines(service: &ServiceStatus) -> Vec<String> {
    let lines = &service.last_output;
    let message = service.message.as_deref().unwrap_or_default();
    match &lines[..] {
        [only] if message.contains(only.trim()) => Vec::new(),
        lines => lines.iter().map(|line| format!("    {line}")).collect(),
    }
}

/// Returns what to do about a service that failed.
pub fn way_out(service: &ServiceStatus) -> String {
    let name = &service.name;
    let asks = matches!(
        &service.reason,
        Some(
            FailureReason::NotListening {
                question: Some(_),
                ..
            } | FailureReason::NotReady {
                question: Some(_),
                ..
            }
        )
    );
    let program = service
        .reason
        .as_ref()
        .and_then(FailureReason::missing_program);
    let tool = program.and_then(|program| Some((program, install_hint(program)?)));
    match service.state {
        ServiceState::Unhealthy if asks => {
            format!("it keeps running; run `portway attach {name}` to answer")
        }
        ServiceState::Unhealthy => {
            format!("it keeps running; run `portway logs {name}` to see its full output")
        }
        _ => match tool {
            Some((program, hint)) => {
                format!("get `{program}`: {hint}; then run `portway up` to start it again")
            }
            None => format!(
                "run `portway logs {name}` to see its full output, and `portway up` to start it again"
            ),
        },
    }
}

/// Waits until `services` are ready or completed. Returns an error as soon as one fails. A service in
/// `fresh` counts only after its state has changed since the given time. `first` is the first status, if
/// it has been received.
pub(crate) async fn until_ready(
    instance: &impl Supervised,
    first: Option<InstanceStatus>,
    events: &mut Events,
    services: &[String],
    fresh: &HashMap<String, Option<u64>>,
) -> Result<InstanceStatus, CommandError> {
    let mut first = first;
    let mut last: Option<InstanceStatus> = None;
    let mut progress = ProgressReport::new();
    loop {
        let patience = last.as_ref().and_then(unhealthy_time_left);
        let event = match (first.take(), patience) {
            (Some(first), _) => Some(Event::Status(Box::new(first))),
            (None, None) => progress.next(instance, events).await?,
            (None, Some(patience)) => {
                match timeout(patience, progress.next(instance, events)).await {
                    Ok(event) => event?,
                    // Nothing has changed in time.
                    Err(_) => last.take().map(|status| Event::Status(Box::new(status))),
                }
            }
        };
        let status = match event {
            Some(Event::Status(status)) => *status,
            Some(_) => continue,
            None => break,
        };
        let relevant: Vec<&ServiceStatus> = status
            .services
            .iter()
            .filter(|service| services.is_empty() || services.contains(&service.name))
            // Services that a user has stopped count only if they are named.
            .filter(|service| {
                !services.is_empty()
                    || service.state != ServiceState::Stopped
                    || service.has_failed()
            })
            .collect();
        let is_fresh = |service: &ServiceStatus| {
            fresh
                .get(&service.name)
                .is_none_or(|old| *old != service.since)
        };
        let failed: Vec<ServiceStatus> = relevant
            .iter()
            .filter(|service| is_fresh(service) && (service.has_failed() || is_given_up(service)))
            .map(|service| (*service).clone())
            .collect();
        if !failed.is_empty() {
            return Err(services_failed(&failed, true));
        }
        let ready = |service: &&ServiceStatus| {
            is_fresh(service)
                && matches!(service.state, ServiceState::Ready | ServiceState::Completed)
        };
        let starting = services.is_empty() && status.state == InstanceState::Starting;
        // A service that was added may not be in the status yet.
        let has_all = services.iter().all(|name| status.service(name).is_some());
        if !starting && has_all && relevant.iter().all(ready) {
            return Ok(status);
        }
        last = Some(status);
    }
    Err(CommandError::new(
        ErrorCode::NotRunning,
        "the instance stopped before its services were ready",
    ))
}

/// How long a service may be unhealthy before a command stops waiting for it. A reload takes less.
const UNHEALTHY_TIMEOUT: Duration = Duration::from_secs(5);

fn unhealthy_time(service: &ServiceStatus) -> Option<Duration> {
    let since = service.since.unwrap_or(0);
    let elapsed = portway_supervisor::now().saturating_sub(since);
    (service.state == ServiceState::Unhealthy).then(|| Duration::from_millis(elapsed))
}

fn is_given_up(service: &ServiceStatus) -> bool {
    unhealthy_time(service).is_some_and(|time| time >= UNHEALTHY_TIMEOUT)
}

/// Returns the time until the next unhealthy service is given up.
fn unhealthy_time_left(status: &InstanceStatus) -> Option<Duration> {
    let times = status.services.iter().filter_map(unhealthy_time);
    times
        .map(|time| UNHEALTHY_TIMEOUT.saturating_sub(time))
        .filter(|left| !left.is_zero())
        .min()
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
