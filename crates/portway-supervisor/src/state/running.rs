//! The phases of a running service: whether it listens, is ready, late or unhealthy.

use std::time::{Duration, Instant};

use portway_api::{FailureReason, PortConflict};
use portway_project::policy::RestartPolicy;

use super::{AfterStop, Effect, ExitStatus, MAX_PORT_LOSSES, Phase, StateMachine, Transition};

/// A service without ports and probes is ready when it has run for this long and does not use the processor:
/// what still loads its modules can still exit because one is missing.
pub(crate) const SETTLE_DELAY: Duration = Duration::from_millis(200);
/// Such a service is ready after this time even if it uses the processor.
const MAX_SETTLE_TIME: Duration = Duration::from_secs(5);
/// Processor time within [`SETTLE_DELAY`] from which a process counts as loading. A shell that starts another
/// program uses less.
const LOADING_TIME: Duration = Duration::from_millis(10);
/// A service that does not listen for this long is reported. Reloaders close the socket and bind it
/// again within less.
pub(super) const REPORT_DELAY: Duration = Duration::from_secs(3);

impl StateMachine {
    /// Returns whether the service waits for one that failed or is stopped.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_waiting()
            && self
                .reason
                .as_ref()
                .is_some_and(FailureReason::is_dependency)
    }

    /// Returns whether the service has not become ready in time since its start.
    pub(crate) fn is_late(&self) -> bool {
        let is_timeout = self.reason.as_ref().is_some_and(FailureReason::is_timeout);
        is_timeout && matches!(self.phase, Phase::Unhealthy { .. })
    }

    /// The service listens on all its ports.
    pub(super) fn continue_listening(
        &mut self,
        phase: &Phase,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        match phase {
            Phase::Starting { listening: false } => {
                self.phase = Phase::Starting { listening: true };
            }
            Phase::Unhealthy { listening: false } => {
                self.phase = Phase::Unhealthy { listening: true };
            }
            _ => return,
        }
        if self.policy.has_readiness_probe {
            effects.push(Effect::StartReadinessProbe);
        } else {
            self.become_ready(now, effects);
        }
    }

    /// The service does not listen on one of its ports.
    pub(super) fn stop_listening(
        &mut self,
        phase: &Phase,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        match phase {
            Phase::Ready => {
                self.reset_failures_if_recovered(now);
                self.enter(Phase::Unhealthy { listening: false }, now);
                self.reason = Some(FailureReason::StoppedListening);
                effects.push(Effect::SetTimer {
                    epoch: self.epoch,
                    after: REPORT_DELAY,
                });
            }
            Phase::Starting { listening: true } => {
                self.phase = Phase::Starting { listening: false };
            }
            Phase::Unhealthy { listening: true } => {
                self.phase = Phase::Unhealthy { listening: false };
            }
            _ => {}
        }
    }

    pub(super) fn check_liveness(
        &mut self,
        phase: &Phase,
        is_alive: bool,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        match phase {
            Phase::Unhealthy { listening }
                if is_alive
                    && self.reason == Some(FailureReason::LivenessFailed)
                    && (*listening || !self.policy.has_ports) =>
            {
                self.become_ready(now, effects);
            }
            Phase::Ready | Phase::Unhealthy { .. } if !is_alive => {
                let reason = FailureReason::LivenessFailed;
                if self.policy.restart != RestartPolicy::Never {
                    self.stop_tree(AfterStop::Restart(reason), now, effects);
                } else if *phase == Phase::Ready {
                    self.enter(Phase::Unhealthy { listening: true }, now);
                    self.reason = Some(reason.clone());
                    self.is_reported = true;
                    effects.push(Effect::Notify(Transition::Unhealthy(reason)));
                }
            }
            _ => {}
        }
    }

    pub(super) fn handle_timer(
        &mut self,
        phase: &Phase,
        question: Option<String>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        match phase {
            Phase::Backoff => self.start(false, now, effects),
            Phase::Starting { .. } if self.is_ready_by_running() => {
                let is_running =
                    self.has_started() && self.leader_status.is_none_or(ExitStatus::is_success);
                if is_running {
                    self.become_ready(now, effects);
                } else {
                    self.set_start_timer(effects);
                }
            }
            Phase::Starting { listening } => {
                let timeout_ms = self.policy.ready_timeout.as_millis() as u64;
                let reason = if self.policy.has_ports && !listening {
                    FailureReason::NotListening {
                        timeout_ms,
                        question,
                    }
                } else {
                    FailureReason::NotReady {
                        timeout_ms,
                        question,
                    }
                };
                // A reloader waits for the next change of a file, so the process keeps running.
                let listening = *listening || !self.policy.has_ports;
                self.enter(Phase::Unhealthy { listening }, now);
                self.reason = Some(reason.clone());
                self.is_reported = true;
                effects.push(Effect::Notify(Transition::TimedOut(reason)));
            }
            Phase::Unhealthy { .. } if !self.is_reported => {
                self.is_reported = true;
                let reason = self.reason.clone();
                let reason = reason.unwrap_or(FailureReason::StoppedListening);
                effects.push(Effect::Notify(Transition::Unhealthy(reason)));
            }
            _ => {}
        }
    }

    /// Returns whether running is the service's only sign of readiness, and it has run for less than
    /// [`MAX_SETTLE_TIME`]. `epoch` is that of a timer, which may be late.
    pub(crate) fn is_settling(&self, epoch: u64, now: Instant) -> bool {
        epoch == self.epoch
            && self.is_starting()
            && self.is_ready_by_running()
            && now - self.started < MAX_SETTLE_TIME
    }

    /// Returns whether a process that has used this much processor time within [`SETTLE_DELAY`] still loads.
    pub(crate) fn is_loading(used: Duration) -> bool {
        used >= LOADING_TIME
    }

    /// Returns whether the service has neither ports nor a probe, so that running is its only sign
    /// of readiness.
    pub(super) fn is_ready_by_running(&self) -> bool {
        !self.policy.has_ports && !self.policy.has_readiness_probe
    }

    pub(super) fn set_start_timer(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::SetTimer {
            epoch: self.epoch,
            after: match self.is_ready_by_running() {
                true => SETTLE_DELAY,
                false => self.policy.ready_timeout,
            },
        });
    }

    pub(super) fn become_ready(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let is_first = matches!(self.phase, Phase::Starting { .. });
        self.enter(Phase::Ready, now);
        self.reason = None;
        // A short reload is not reported, neither its start nor its end.
        if is_first || self.is_reported {
            self.is_reported = false;
            effects.push(Effect::Notify(Transition::Ready(now - self.started)));
        }
        effects.push(Effect::StartLivenessProbe);
    }

    /// Another process has taken a port of the service.
    pub(super) fn lose_port(
        &mut self,
        port: u16,
        taken_by: PortConflict,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let next = self.after_port_loss(port, taken_by);
        self.stop_tree(next, now, effects);
    }

    /// Counts the loss of a port and returns what follows.
    pub(super) fn after_port_loss(&mut self, port: u16, taken_by: PortConflict) -> AfterStop {
        self.port_losses += 1;
        if self.port_losses > MAX_PORT_LOSSES {
            AfterStop::Fail(FailureReason::PortLost {
                port,
                times: self.port_losses,
                taken_by: Box::new(taken_by),
            })
        } else {
            AfterStop::ReplacePort { port, taken_by }
        }
    }
}
