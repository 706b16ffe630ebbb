//! Follows the events of an instance, and reports what a command waits for.

use std::time::Duration;

use portway_api::{Event, InstanceStatus, ServiceState};
use portway_supervisor::control::Events;
use tokio::time::{Instant, timeout};

use super::connection::Supervised;
use super::response::{REPORT_DELAY, check_suspended, report};
use crate::error::CommandError;

/// How often the supervisor is checked while it sends no events.
const CHECK_INTERVAL: Duration = Duration::from_secs(4);

/// Waits for the next event of an instance. `None` if the instance has stopped.
///
/// # Errors
/// When its supervisor is suspended.
pub(crate) async fn next(
    instance: &impl Supervised,
    events: &mut Events,
) -> Result<Option<Event>, CommandError> {
    loop {
        match timeout(CHECK_INTERVAL, events.next()).await {
            Ok(event) => return Ok(event),
            Err(_) => check_suspended(&instance.dir())?,
        }
    }
}

/// Waits for the next status of an instance. `None` if the instance has stopped.
///
/// # Errors
/// When its supervisor is suspended.
pub(crate) async fn next_status(
    instance: &impl Supervised,
    events: &mut Events,
) -> Result<Option<InstanceStatus>, CommandError> {
    loop {
        match next(instance, events).await? {
            Some(Event::Status(status)) => return Ok(Some(*status)),
            Some(_) => {}
            None => return Ok(None),
        }
    }
}

/// Reports once, after some seconds, which services a command waits for.
pub(crate) struct ProgressReport {
    report_at: Option<Instant>,
    /// Why the command waits, as the start of the report.
    reason: &'static str,
    /// What the command waits for.
    pending: Option<String>,
}

impl ProgressReport {
    pub(crate) fn new() -> Self {
        Self::because("waiting")
    }

    /// Same as [`ProgressReport::new`], for a command that waits for this `reason`.
    pub(crate) fn because(reason: &'static str) -> Self {
        Self {
            report_at: Some(Instant::now() + REPORT_DELAY),
            reason,
            pending: None,
        }
    }

    /// Waits for the next status of an instance. `None` if the instance has stopped.
    ///
    /// # Errors
    /// When its supervisor is suspended.
    pub(crate) async fn next_status(
        &mut self,
        instance: &impl Supervised,
        events: &mut Events,
    ) -> Result<Option<InstanceStatus>, CommandError> {
        loop {
            match self.next(instance, events).await? {
                Some(Event::Status(status)) => return Ok(Some(*status)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Waits for the next event of an instance. `None` if the instance has stopped.
    ///
    /// # Errors
    /// When its supervisor is suspended.
    pub(crate) async fn next(
        &mut self,
        instance: &impl Supervised,
        events: &mut Events,
    ) -> Result<Option<Event>, CommandError> {
        let event = match self.report_at {
            Some(at) => match tokio::time::timeout_at(at, next(instance, events)).await {
                Ok(event) => event?,
                Err(_) => {
                    self.report_at = None;
                    if let Some(pending) = &self.pending {
                        report(&format!("{}: {pending}", self.reason));
                    }
                    next(instance, events).await?
                }
            },
            None => next(instance, events).await?,
        };
        if let Some(Event::Status(status)) = &event {
            self.update(status);
        }
        Ok(event)
    }

    /// Learns from a status what the command waits for.
    pub(crate) fn update(&mut self, status: &InstanceStatus) {
        self.pending = pending(status);
    }
}

/// Describes the services of an instance that are not in a final state.
fn pending(status: &InstanceStatus) -> Option<String> {
    let services = status.services.iter().filter_map(|service| {
        let action = match service.state {
            ServiceState::Waiting => "is waiting for other services",
            ServiceState::Preparing => "is preparing",
            ServiceState::Starting => "is starting",
            ServiceState::Unhealthy => "is unhealthy",
            ServiceState::Backoff => "is waiting to restart",
            ServiceState::Stopping => "is stopping",
            _ => return None,
        };
        let pid = service.pid.map(|pid| format!(" (pid {pid})"));
        Some(format!(
            "`{}`{} {action}",
            service.name,
            pid.unwrap_or_default()
        ))
    });
    let services: Vec<String> = services.collect();
    (!services.is_empty()).then(|| services.join(", "))
}
