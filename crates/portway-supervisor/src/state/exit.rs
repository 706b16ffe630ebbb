//! Decides what follows when a service's process tree is gone: restart policies and delays.

use std::time::{Duration, Instant};

use portway_api::FailureReason;
use portway_project::policy::RestartPolicy;

use super::{AfterStop, Effect, ExitStatus, Phase, StateMachine, Transition};

/// How often a service may fail in a row before Portway stops restarting it.
const MAX_FAILURES: u32 = 5;
/// The delay after the first failure. It doubles with each further failure.
const FIRST_RESTART_DELAY: Duration = Duration::from_millis(250);
const MAX_RESTART_DELAY: Duration = Duration::from_secs(10);
/// A service that was ready for this long has recovered, and its earlier failures do not count.
pub(super) const RECOVERY_TIME: Duration = Duration::from_secs(10);

impl StateMachine {
    pub(super) fn handle_exit(
        &mut self,
        phase: Phase,
        address_in_use: bool,
        now: Instant,
        jitter: f64,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::RestoreHold);
        self.pid = None;
        let status = self.leader_status.take().unwrap_or(ExitStatus::KILLED);
        match phase {
            Phase::Stopping(next) => self.after_stop(next, now, jitter, effects),
            Phase::Starting { listening: false }
                if self.policy.has_ports && address_in_use && !self.without_hold =>
            {
                self.without_hold = true;
                effects.push(Effect::Notify(Transition::RestartingWithoutHold));
                self.start(now, effects);
            }
            Phase::Starting { .. } => {
                let is_permanent =
                    status.is_missing_command() || (status.is_success() && self.policy.has_ports);
                if is_permanent && self.policy.restart != RestartPolicy::Always {
                    let reason = match status.is_success() {
                        true => FailureReason::ExitedBeforeListening,
                        false => status.into(),
                    };
                    self.fail(reason, now, effects);
                } else {
                    self.apply_restart_policy(status, now, jitter, effects);
                }
            }
            Phase::Ready | Phase::Unhealthy => {
                self.reset_failures_if_recovered(now);
                self.apply_restart_policy(status, now, jitter, effects);
            }
            _ => {}
        }
    }

    fn after_stop(
        &mut self,
        next: AfterStop,
        now: Instant,
        jitter: f64,
        effects: &mut Vec<Effect>,
    ) {
        match next {
            AfterStop::Remain => self.enter(Phase::Stopped, now),
            AfterStop::Start => self.prepare(now, effects),
            AfterStop::Fail(reason) => self.fail(reason, now, effects),
            AfterStop::Restart(reason) => self.schedule_restart(reason, now, jitter, effects),
            AfterStop::ReplacePort { port, taken_by } => {
                self.enter(Phase::ReplacingPort, now);
                effects.push(Effect::ReplacePort { port, taken_by });
            }
        }
    }

    fn apply_restart_policy(
        &mut self,
        status: ExitStatus,
        now: Instant,
        jitter: f64,
        effects: &mut Vec<Effect>,
    ) {
        match self.policy.restart {
            RestartPolicy::Always => self.schedule_restart(status.into(), now, jitter, effects),
            _ if status.is_success() => {
                self.enter(Phase::Completed, now);
                effects.push(Effect::Notify(Transition::Completed));
            }
            RestartPolicy::Never => self.fail(status.into(), now, effects),
            RestartPolicy::OnFailure => {
                self.schedule_restart(status.into(), now, jitter, effects);
            }
        }
    }

    /// Restarts the service after a delay that grows with each failure, or marks it as failed.
    fn schedule_restart(
        &mut self,
        reason: FailureReason,
        now: Instant,
        jitter: f64,
        effects: &mut Vec<Effect>,
    ) {
        self.failures += 1;
        if self.failures > MAX_FAILURES {
            let reason = FailureReason::GaveUp {
                restarts: MAX_FAILURES,
                cause: Box::new(reason),
            };
            return self.fail(reason, now, effects);
        }
        let delay = FIRST_RESTART_DELAY * 2_u32.pow(self.failures - 1);
        let delay = delay.min(MAX_RESTART_DELAY).mul_f64(0.8 + 0.4 * jitter);
        self.restarts += 1;
        self.enter(Phase::Backoff, now);
        self.reason = Some(reason.clone());
        effects.push(Effect::Notify(Transition::Restarting { reason, delay }));
        effects.push(Effect::SetTimer {
            epoch: self.epoch,
            after: delay,
        });
    }

    pub(super) fn reset_failures_if_recovered(&mut self, now: Instant) {
        if self.phase == Phase::Ready && now - self.since >= RECOVERY_TIME {
            self.failures = 0;
            self.port_losses = 0;
        }
    }
}
