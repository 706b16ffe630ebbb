//! Decides what follows when a service's process tree is gone: restart policies and delays.

use std::time::{Duration, Instant};

use portway_api::FailureReason;
use portway_project::policy::RestartPolicy;

use super::{AfterStop, Effect, ExitContext, ExitStatus, Phase, StateMachine, Transition};

/// How often a service may fail in a row before Portway stops restarting it.
pub(super) const MAX_FAILURES: u32 = 5;
/// The delay after the first failure. It doubles with each further failure.
const FIRST_RESTART_DELAY: Duration = Duration::from_millis(250);
const MAX_RESTART_DELAY: Duration = Duration::from_secs(10);
/// A service that was ready for this long has recovered, and its earlier failures do not count.
pub(super) const RECOVERY_TIME: Duration = Duration::from_secs(10);

impl StateMachine {
    pub(super) fn handle_exit(
        &mut self,
        phase: Phase,
        context: ExitContext,
        now: Instant,
        jitter: f64,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::RestoreHold);
        self.pid = None;
        match phase {
            Phase::Stopping(AfterStop::HandleExit(phase)) => {
                self.evaluate_exit(&phase, context, now, jitter, effects);
            }
            Phase::Stopping(next) => self.after_stop(next, now, jitter, effects),
            Phase::Starting { .. } | Phase::Ready | Phase::Unhealthy { .. } => {
                self.reset_failures_if_recovered(now);
                self.evaluate_exit(&phase, context, now, jitter, effects);
            }
            _ => {}
        }
    }

    /// Decides what follows when a service has exited without a request. `phase` is the one in
    /// which it exited.
    fn evaluate_exit(
        &mut self,
        phase: &Phase,
        context: ExitContext,
        now: Instant,
        jitter: f64,
        effects: &mut Vec<Effect>,
    ) {
        let status = self.leader_status.take().unwrap_or(ExitStatus::KILLED);
        self.exit_line = context.cause;
        let has_bound = !self.policy.has_ports || self.has_listened;
        let has_error_code = matches!(status, ExitStatus::Code(code) if code != 0);
        if !has_bound && has_error_code && context.address_in_use {
            if let Some((port, taken_by)) = context.lost_port {
                let next = self.after_port_loss(port, taken_by);
                return self.after_stop(next, now, jitter, effects);
            }
            if !self.without_hold {
                // Said once, however often the service fails in a row.
                if self.failures == 0 {
                    effects.push(Effect::Notify(Transition::RestartingWithoutHold));
                }
                return self.start(true, now, effects);
            }
        }
        // Also after it has listened: it may open further ports.
        if has_error_code && context.inner_conflict && !self.without_hold {
            effects.push(Effect::Notify(Transition::RestartingWithoutHostPorts));
            return self.start(true, now, effects);
        }
        if status.is_success() && !has_bound && self.policy.restart != RestartPolicy::Always {
            return self.fail(FailureReason::ExitedBeforeListening, now, effects);
        }
        let has_worked = match self.policy.has_ports {
            true => self.has_listened,
            false => *phase == Phase::Ready && now - self.started >= RECOVERY_TIME,
        };
        if let Some(reason) =
            permanent_failure(status, context.missing_file, context.missing_program)
            && !has_worked
        {
            return self.fail(reason, now, effects);
        }
        self.apply_restart_policy(status, now, jitter, effects);
    }

    fn after_stop(
        &mut self,
        next: AfterStop,
        now: Instant,
        jitter: f64,
        effects: &mut Vec<Effect>,
    ) {
        match next {
            // The exit of a leader is evaluated before this function is called.
            AfterStop::Remain | AfterStop::HandleExit(_) => {
                self.reason = None;
                self.enter(Phase::Stopped, now);
            }
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
            // A server has nothing to complete.
            _ if status.is_success() && self.policy.has_ports => {
                let reason = FailureReason::from(status);
                self.enter(Phase::Stopped, now);
                self.reason = Some(reason.clone());
                effects.push(Effect::Notify(Transition::Stopped(reason)));
            }
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
                cause: Box::new(reason.with_line(self.exit_line.take())),
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

/// Returns why a process that exited with this status fails again whenever it is started.
fn permanent_failure(
    status: ExitStatus,
    missing_file: Option<String>,
    missing_program: Option<String>,
) -> Option<FailureReason> {
    match (status, missing_file) {
        (ExitStatus::Code(0) | ExitStatus::Signal(_), _) => None,
        (ExitStatus::Code(127), _) if missing_program.is_some() => {
            missing_program.map(|program| FailureReason::ProgramNotFound { program })
        }
        (status, _) if status.is_usage_error() => Some(status.into()),
        (ExitStatus::Code(code), Some(line)) => Some(FailureReason::FileMissing { code, line }),
        _ => None,
    }
}
