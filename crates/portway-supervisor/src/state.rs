//! The state machine of one service: a function from state, input and time to effects.
//!
//! The supervisor owns one [`StateMachine`] per service, passes it what happened and carries out
//! the effects. This module must not start processes, read a clock or wait, so tests cover every
//! path with plain values.
//!
//! Each timer carries the epoch of the phase that set it. A timer of an earlier phase is ignored.

mod exit;
mod running;
mod types;

use std::time::Instant;

use portway_api::{FailureReason, PortConflict, ServiceState};

pub(crate) use running::SETTLE_DELAY;
pub use types::ExitStatus;
pub(crate) use types::{Effect, ExitContext, Input, Policy, Transition};

/// How often a service may lose its port while it starts before it fails.
const MAX_PORT_LOSSES: u32 = 10;

/// What to do when the process tree has been stopped.
#[derive(Clone, Debug, PartialEq)]
enum AfterStop {
    Remain,
    Start,
    Fail(FailureReason),
    Restart(FailureReason),
    ReplacePort {
        port: u16,
        taken_by: PortConflict,
    },
    /// The leader failed in this phase. What follows depends on its status and the policy.
    HandleExit(Box<Phase>),
}

#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Stopped,
    Waiting,
    Preparing,
    Starting {
        listening: bool,
    },
    Ready,
    /// The process is running and not ready: it was not ready in time, or it was ready before.
    Unhealthy {
        listening: bool,
    },
    Backoff,
    Stopping(AfterStop),
    /// A lost port is being replaced. No process is running.
    ReplacingPort,
    Completed,
    Failed,
}

/// The state of one service.
#[derive(Clone, Debug)]
pub(crate) struct StateMachine {
    policy: Policy,
    phase: Phase,
    epoch: u64,
    /// When the current phase started.
    since: Instant,
    /// When the current process was started.
    started: Instant,
    /// Whether the current process has listened on the service's ports.
    has_listened: bool,
    /// Whether users know that the service is not ready any more.
    is_reported: bool,
    pid: Option<u32>,
    /// Whether the prepare step has succeeded since the service was last started, if it has one.
    is_prepared: bool,
    /// How the leader exited, until its process tree is gone.
    leader_status: Option<ExitStatus>,
    restarts: u32,
    /// Failures in a row.
    failures: u32,
    port_losses: u32,
    /// Whether the current process was started without the hold, because the previous one could
    /// not bind a port that Portway holds.
    without_hold: bool,
    /// The line of output that says why the last process exited.
    exit_line: Option<String>,
    reason: Option<FailureReason>,
}

impl StateMachine {
    /// Creates the machine of a service that is stopped. Timers of another machine are ignored if their
    /// epochs are below `epoch`.
    pub(crate) fn new(policy: Policy, epoch: u64, now: Instant) -> Self {
        Self {
            policy,
            phase: Phase::Stopped,
            epoch,
            since: now,
            started: now,
            has_listened: false,
            is_reported: false,
            pid: None,
            is_prepared: false,
            leader_status: None,
            restarts: 0,
            failures: 0,
            port_losses: 0,
            without_hold: false,
            exit_line: None,
            reason: None,
        }
    }

    /// Returns the state as the status reports it.
    pub(crate) fn state(&self) -> ServiceState {
        match &self.phase {
            Phase::Stopped => ServiceState::Stopped,
            Phase::Waiting => ServiceState::Waiting,
            Phase::Preparing => ServiceState::Preparing,
            Phase::Starting { .. } | Phase::ReplacingPort => ServiceState::Starting,
            Phase::Ready => ServiceState::Ready,
            Phase::Unhealthy { .. } => ServiceState::Unhealthy,
            Phase::Backoff => ServiceState::Backoff,
            Phase::Stopping(_) => ServiceState::Stopping,
            Phase::Completed => ServiceState::Completed,
            Phase::Failed => ServiceState::Failed,
        }
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    pub(crate) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Returns why the service failed or is being restarted.
    pub(crate) fn reason(&self) -> Option<&FailureReason> {
        self.reason.as_ref()
    }

    /// Returns whether a process of the service may exist.
    pub(crate) fn is_active(&self) -> bool {
        self.is_running() || matches!(self.phase, Phase::Preparing | Phase::Stopping(_))
    }

    fn is_running(&self) -> bool {
        matches!(
            self.phase,
            Phase::Starting { .. } | Phase::Ready | Phase::Unhealthy { .. }
        )
    }

    /// Returns whether the service stays in its state until a user requests another.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(
            self.phase,
            Phase::Stopped | Phase::Completed | Phase::Failed
        )
    }

    /// Returns whether the service is running and does not listen on its ports.
    pub(crate) fn awaits_listening(&self) -> bool {
        self.policy.has_ports
            && matches!(
                self.phase,
                Phase::Starting { listening: false } | Phase::Unhealthy { listening: false }
            )
    }

    /// Returns whether the current process was started without the hold.
    pub(crate) fn is_without_hold(&self) -> bool {
        self.without_hold
    }

    /// Returns whether the keeper has reported the process. A fast server can listen before that
    /// report arrives and would be ready without a pid.
    pub(crate) fn has_started(&self) -> bool {
        self.pid.is_some() || self.leader_status.is_some()
    }

    /// Returns whether the service listens on its ports, as far as the last check knows.
    pub(crate) fn is_listening(&self) -> bool {
        self.policy.has_ports
            && matches!(
                self.phase,
                Phase::Starting { listening: true }
                    | Phase::Ready
                    | Phase::Unhealthy { listening: true }
            )
    }

    /// Returns whether the process was started and neither was ready in time nor is late.
    pub(crate) fn is_starting(&self) -> bool {
        matches!(self.phase, Phase::Starting { .. })
    }

    /// Returns whether the service is being stopped and stays stopped.
    pub(crate) fn is_stopping_for_good(&self) -> bool {
        self.phase == Phase::Stopping(AfterStop::Remain)
    }

    /// Returns whether a lost port of the service is being replaced.
    pub(crate) fn is_replacing_port(&self) -> bool {
        self.phase == Phase::ReplacingPort
    }

    /// Replaces the policy of a service that keeps running.
    pub(crate) fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Returns whether what the service prepares can be used.
    pub(crate) fn is_prepared(&self) -> bool {
        self.is_prepared
    }

    /// Returns whether the service waits for services that it depends on.
    pub(crate) fn is_waiting(&self) -> bool {
        self.phase == Phase::Waiting
    }

    /// Applies an input and returns the effects to carry out. `jitter` is a random number from 0
    /// to 1 that spreads restart delays.
    pub(crate) fn step(&mut self, input: Input, now: Instant, jitter: f64) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.apply(input, now, jitter, &mut effects);
        effects
    }

    fn apply(&mut self, input: Input, now: Instant, jitter: f64, effects: &mut Vec<Effect>) {
        match (input, self.phase.clone()) {
            (Input::Start | Input::Restart, Phase::Stopped | Phase::Completed | Phase::Failed) => {
                self.failures = 0;
                self.port_losses = 0;
                self.reason = None;
                self.prepare(now, effects);
            }
            (Input::Start, Phase::Stopping(AfterStop::Remain))
            | (Input::Restart, Phase::Stopping(_)) => {
                self.phase = Phase::Stopping(AfterStop::Start);
            }
            (Input::Restart, Phase::Starting { .. } | Phase::Ready | Phase::Unhealthy { .. }) => {
                self.stop_tree(AfterStop::Start, now, effects)
            }
            (Input::Restart, Phase::Backoff) => self.start(false, now, effects),
            (Input::Stop, phase) => self.stop(&phase, now, effects),

            (Input::DependenciesMet, Phase::Waiting) => {
                self.reason = None;
                self.start(false, now, effects);
            }
            (Input::DependencyFailed(reason), Phase::Waiting)
                if self.reason.as_ref() != Some(&reason) =>
            {
                self.reason = Some(reason.clone());
                effects.push(Effect::Notify(Transition::Blocked(reason)));
            }
            (Input::DependenciesPending, Phase::Waiting) => self.reason = None,
            (Input::Prepared, Phase::Preparing) => {
                self.is_prepared = true;
                self.enter(Phase::Waiting, now);
            }
            (Input::PrepareFailed(reason), Phase::Preparing) => self.fail(reason, now, effects),

            (Input::Started(pid), phase) => {
                self.pid = Some(pid);
                let is_starting = matches!(phase, Phase::Starting { .. });
                let policy = &self.policy;
                if is_starting && !policy.has_ports && policy.has_readiness_probe {
                    effects.push(Effect::StartReadinessProbe);
                }
                // How long it has to run counts from here: starting a process can take a while.
                if is_starting && self.is_ready_by_running() {
                    self.epoch += 1;
                    self.set_start_timer(effects);
                }
            }
            (Input::StartFailed(reason), Phase::Starting { .. }) => {
                self.fail(reason, now, effects);
            }
            (Input::Listening(families), phase) => {
                effects.push(Effect::SettleHold(families));
                self.has_listened = true;
                self.continue_listening(&phase, now, effects);
            }
            (Input::NotListening, phase) => self.stop_listening(&phase, now, effects),
            (
                Input::ReadinessProbeSucceeded,
                Phase::Starting { .. } | Phase::Unhealthy { listening: true },
            ) if !self.awaits_listening() && self.reason != Some(FailureReason::LivenessFailed) => {
                self.become_ready(now, effects);
            }
            (
                Input::PortLost { port, taken_by },
                Phase::Starting { .. } | Phase::Ready | Phase::Unhealthy { .. },
            ) => self.lose_port(port, taken_by, now, effects),
            (Input::PortReplaced, Phase::ReplacingPort) => self.start(false, now, effects),
            (Input::PortNotReplaced(reason), Phase::ReplacingPort) => {
                self.fail(reason, now, effects);
            }
            (Input::LivenessChecked(is_alive), phase) => {
                self.check_liveness(&phase, is_alive, now, effects);
            }

            (Input::LeaderExited(status), phase) => {
                self.pid = None;
                self.leader_status = Some(status);
                // After code 0 the remaining processes may be a daemon, which is then the service.
                // After a failure they are useless.
                if !status.is_success() && self.is_running() {
                    self.stop_tree(AfterStop::HandleExit(Box::new(phase)), now, effects);
                }
            }
            (Input::DaemonFailed(status), _) if self.leader_status == Some(ExitStatus::Code(0)) => {
                self.leader_status = Some(status);
            }
            (Input::TreeGone(context), phase) => {
                self.handle_exit(phase, context, now, jitter, effects);
            }
            (Input::Timer(epoch, question), phase) if epoch == self.epoch => {
                self.handle_timer(&phase, question, now, effects);
            }
            _ => {}
        }
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.epoch += 1;
        self.since = now;
    }

    /// Starts the prepare step. It does not wait for other services, so prepare steps run in
    /// parallel.
    fn prepare(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.is_prepared = !self.policy.has_prepare_step;
        if self.policy.has_prepare_step {
            self.enter(Phase::Preparing, now);
            effects.push(Effect::Prepare);
        } else {
            self.enter(Phase::Waiting, now);
        }
    }

    fn start(&mut self, without_hold: bool, now: Instant, effects: &mut Vec<Effect>) {
        self.enter(Phase::Starting { listening: false }, now);
        self.started = now;
        self.has_listened = false;
        self.is_reported = false;
        self.without_hold = without_hold;
        self.leader_status = None;
        self.pid = None;
        effects.push(Effect::Start {
            release_port: without_hold,
        });
        self.set_start_timer(effects);
    }

    fn stop_tree(&mut self, next: AfterStop, now: Instant, effects: &mut Vec<Effect>) {
        self.reset_failures_if_recovered(now);
        self.enter(Phase::Stopping(next), now);
        effects.push(Effect::StopTree);
    }

    fn stop(&mut self, phase: &Phase, now: Instant, effects: &mut Vec<Effect>) {
        match phase {
            Phase::Preparing | Phase::Starting { .. } | Phase::Ready | Phase::Unhealthy { .. } => {
                self.stop_tree(AfterStop::Remain, now, effects)
            }
            Phase::Stopping(_) => self.phase = Phase::Stopping(AfterStop::Remain),
            Phase::Waiting | Phase::Backoff | Phase::ReplacingPort => {
                self.reason = None;
                self.enter(Phase::Stopped, now);
            }
            // The user does not have to start it again.
            Phase::Stopped => self.reason = None,
            Phase::Completed | Phase::Failed => {}
        }
    }

    fn fail(&mut self, reason: FailureReason, now: Instant, effects: &mut Vec<Effect>) {
        let reason = reason.with_line(self.exit_line.take());
        self.enter(Phase::Failed, now);
        self.pid = None;
        self.reason = Some(reason.clone());
        effects.push(Effect::Notify(Transition::Failed(reason)));
    }
}

#[cfg(test)]
mod tests;
