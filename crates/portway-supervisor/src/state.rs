//! What a service does next: a function from (state, input, now) to effects.
//!
//! The actor in `supervisor.rs` owns one [`Machine`] per service, feeds it with what happened and
//! carries out what it answers. Nothing here starts a process, reads a clock or waits, so every
//! path can be tested with values.
//!
//! Timers carry the epoch of the phase they were set for; one from an earlier phase is ignored.

mod words;

use std::time::{Duration, Instant};

use portway_api::{FailureReason, PortConflict, ServiceState};
use portway_project::policy::RestartPolicy;

pub use words::ExitStatus;
pub(crate) use words::{Effect, Input, Policy, Say};

/// How often a service may fail in a row before it is given up.
const MAX_FAILURES: u32 = 5;
/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A service that was ready this long has recovered: its failures are forgotten.
const RECOVERED_AFTER: Duration = Duration::from_secs(10);
/// A service with neither a port nor a probe is ready when it has run for so long: by then most
/// that cannot work have ended.
const SETTLED_AFTER: Duration = Duration::from_millis(200);
/// How often a service may lose its port in the hand-over before it is given up.
const MAX_MOVES: u32 = 10;

/// What follows when a tree is gone that was asked to end.
#[derive(Clone, Debug, PartialEq)]
enum Then {
    Rest,
    Start,
    Fail(FailureReason),
    Retry(FailureReason),
    Move { port: u16, by: PortConflict },
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
    Unhealthy,
    Backoff,
    Stopping(Then),
    /// Its port is being replaced; nothing of it runs.
    Moving,
    Completed,
    Failed,
}

/// One service's state.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    policy: Policy,
    phase: Phase,
    epoch: u64,
    since: Instant,
    pid: Option<u32>,
    /// How the leader ended, while its tree is not gone.
    ended: Option<ExitStatus>,
    restarts: u32,
    failures: u32,
    moves: u32,
    /// The service does not bind beside a hold.
    without_hold: bool,
    reason: Option<FailureReason>,
}

impl Machine {
    pub(crate) fn new(policy: Policy, now: Instant) -> Self {
        Self {
            policy,
            phase: Phase::Stopped,
            epoch: 0,
            since: now,
            pid: None,
            ended: None,
            restarts: 0,
            failures: 0,
            moves: 0,
            without_hold: false,
            reason: None,
        }
    }

    /// The state as others see it.
    pub(crate) fn state(&self) -> ServiceState {
        match &self.phase {
            Phase::Stopped => ServiceState::Stopped,
            Phase::Waiting => ServiceState::Waiting,
            Phase::Preparing => ServiceState::Preparing,
            Phase::Starting { .. } | Phase::Moving => ServiceState::Starting,
            Phase::Ready => ServiceState::Ready,
            Phase::Unhealthy => ServiceState::Unhealthy,
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

    /// Why it failed or is restarted.
    pub(crate) fn reason(&self) -> Option<&FailureReason> {
        self.reason.as_ref()
    }

    /// Whether a process of it may exist.
    pub(crate) fn is_active(&self) -> bool {
        matches!(
            self.phase,
            Phase::Preparing
                | Phase::Starting { .. }
                | Phase::Ready
                | Phase::Unhealthy
                | Phase::Stopping(_)
        )
    }

    /// Whether it will do nothing more by itself.
    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(
            self.phase,
            Phase::Stopped | Phase::Completed | Phase::Failed
        )
    }

    /// Whether it runs and its port is not yet seen to be its own.
    pub(crate) fn awaits_listening(&self) -> bool {
        self.policy.listens && self.phase == Phase::Starting { listening: false }
    }

    /// Whether its keeper has said that its process runs. A quick server listens before that word
    /// has come, and would be ready without a pid.
    pub(crate) fn has_begun(&self) -> bool {
        self.pid.is_some() || self.ended.is_some()
    }

    /// Whether its port should be its own now.
    pub(crate) fn has_listened(&self) -> bool {
        self.policy.listens
            && matches!(
                self.phase,
                Phase::Starting { listening: true } | Phase::Ready | Phase::Unhealthy
            )
    }

    /// Whether it waits for others.
    pub(crate) fn is_waiting(&self) -> bool {
        self.phase == Phase::Waiting
    }

    /// Takes what happened and answers what to do. `jitter` is a random number from 0 to 1.
    pub(crate) fn step(&mut self, input: Input, now: Instant, jitter: f64) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.take(input, now, jitter, &mut effects);
        effects
    }

    fn take(&mut self, input: Input, now: Instant, jitter: f64, effects: &mut Vec<Effect>) {
        match (input, self.phase.clone()) {
            (Input::Start, Phase::Stopped | Phase::Completed | Phase::Failed)
            | (Input::Restart, Phase::Stopped | Phase::Completed | Phase::Failed) => {
                self.failures = 0;
                self.moves = 0;
                self.reason = None;
                self.prepare(now, effects);
            }
            (Input::Start, Phase::Stopping(Then::Rest)) | (Input::Restart, Phase::Stopping(_)) => {
                self.phase = Phase::Stopping(Then::Start);
            }
            (Input::Restart, Phase::Starting { .. } | Phase::Ready | Phase::Unhealthy) => {
                self.stop_tree(Then::Start, now, effects);
            }
            (Input::Restart, Phase::Backoff) => self.begin(now, effects),
            (Input::Stop, phase) => self.stop(phase, now, effects),

            (Input::DependenciesMet, Phase::Waiting) => self.begin(now, effects),
            (Input::DependencyFailed(why), Phase::Waiting) => self.fail(why, now, effects),
            (Input::Prepared, Phase::Preparing) => self.enter(Phase::Waiting, now),
            (Input::PrepareFailed(why), Phase::Preparing) => self.fail(why, now, effects),

            (Input::Spawned(pid), phase) => {
                self.pid = Some(pid);
                let starts = matches!(phase, Phase::Starting { .. });
                if starts && !self.policy.listens && self.policy.probes {
                    effects.push(Effect::Probe);
                }
            }
            (Input::SpawnFailed(why), Phase::Starting { .. }) => self.fail(why, now, effects),
            (Input::Listening(families), Phase::Starting { listening: false }) => {
                effects.push(Effect::Settle(families));
                self.phase = Phase::Starting { listening: true };
                if self.policy.probes {
                    effects.push(Effect::Probe);
                } else {
                    self.become_ready(now, effects);
                }
            }
            (Input::Listening(families), _) => effects.push(Effect::Settle(families)),
            (Input::ProbeSucceeded, Phase::Starting { .. }) => self.become_ready(now, effects),
            (
                Input::Stolen { port, by },
                Phase::Starting { .. } | Phase::Ready | Phase::Unhealthy,
            ) => {
                self.moves += 1;
                if self.moves > MAX_MOVES {
                    let why = FailureReason::PortLost {
                        port,
                        times: self.moves,
                        taken_by: by,
                    };
                    self.stop_tree(Then::Fail(why), now, effects);
                } else {
                    self.stop_tree(Then::Move { port, by }, now, effects);
                }
            }
            (Input::Moved, Phase::Moving) => self.begin(now, effects),
            (Input::MoveFailed(why), Phase::Moving) => self.fail(why, now, effects),

            (Input::Alive(false), Phase::Ready) => {
                self.enter(Phase::Unhealthy, now);
                if self.policy.restart != RestartPolicy::Never {
                    let why = FailureReason::LivenessFailed;
                    self.stop_tree(Then::Retry(why), now, effects);
                }
            }
            (Input::Alive(true), Phase::Unhealthy) => self.enter(Phase::Ready, now),

            (Input::LeaderEnded(ended), phase) => {
                self.pid = None;
                self.ended = Some(ended);
                // A leader that ended well may have left a daemon, which then is the service. What
                // a failed one leaves is of no use.
                if !ended.is_success() && !matches!(phase, Phase::Stopping(_)) {
                    effects.push(Effect::StopTree);
                }
            }
            (Input::TreeGone { in_use }, phase) => {
                self.tree_gone(phase, in_use, now, jitter, effects);
            }
            (Input::Timer(epoch), phase) if epoch == self.epoch => match phase {
                Phase::Backoff => self.begin(now, effects),
                Phase::Starting { .. } if self.settles() && self.goes_on() => {
                    self.become_ready(now, effects);
                }
                Phase::Starting { .. } if self.settles() => self.set_timer(effects),
                Phase::Starting { listening } => {
                    let timeout_ms = self.policy.ready_timeout.as_millis() as u64;
                    let why = if self.policy.listens && !listening {
                        FailureReason::NotListening { timeout_ms }
                    } else {
                        FailureReason::NotReady { timeout_ms }
                    };
                    self.stop_tree(Then::Fail(why), now, effects);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.epoch += 1;
        self.since = now;
    }

    /// A prepare step does not wait for other services: all of them run side by side.
    fn prepare(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.policy.prepares {
            self.enter(Phase::Preparing, now);
            effects.push(Effect::Prepare);
        } else {
            self.enter(Phase::Waiting, now);
        }
    }

    fn begin(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.enter(Phase::Starting { listening: false }, now);
        self.ended = None;
        self.pid = None;
        effects.push(Effect::Spawn {
            release: self.without_hold,
        });
        self.set_timer(effects);
    }

    /// Whether nothing but its going on tells that it is ready.
    fn settles(&self) -> bool {
        !self.policy.listens && !self.policy.probes
    }

    /// Whether it has begun and has not failed.
    fn goes_on(&self) -> bool {
        self.has_begun() && self.ended.is_none_or(|ended| ended.is_success())
    }

    /// Sets the timer of a start.
    fn set_timer(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Timer {
            epoch: self.epoch,
            after: match self.settles() {
                true => SETTLED_AFTER,
                false => self.policy.ready_timeout,
            },
        });
    }

    fn become_ready(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let took = now - self.since;
        self.enter(Phase::Ready, now);
        self.reason = None;
        effects.push(Effect::Say(Say::Ready(took)));
        effects.push(Effect::WatchLiveness);
    }

    fn stop_tree(&mut self, then: Then, now: Instant, effects: &mut Vec<Effect>) {
        self.forget_failures(now);
        self.enter(Phase::Stopping(then), now);
        effects.push(Effect::StopTree);
    }

    fn stop(&mut self, phase: Phase, now: Instant, effects: &mut Vec<Effect>) {
        match phase {
            Phase::Preparing | Phase::Starting { .. } | Phase::Ready | Phase::Unhealthy => {
                self.stop_tree(Then::Rest, now, effects);
            }
            Phase::Stopping(_) => self.phase = Phase::Stopping(Then::Rest),
            Phase::Waiting | Phase::Backoff | Phase::Moving => self.enter(Phase::Stopped, now),
            Phase::Stopped | Phase::Completed | Phase::Failed => {}
        }
    }

    fn fail(&mut self, why: FailureReason, now: Instant, effects: &mut Vec<Effect>) {
        self.enter(Phase::Failed, now);
        self.pid = None;
        self.reason = Some(why.clone());
        effects.push(Effect::Say(Say::Failed(why)));
    }

    /// A service that has been ready for a while has recovered.
    fn forget_failures(&mut self, now: Instant) {
        if self.phase == Phase::Ready && now - self.since >= RECOVERED_AFTER {
            self.failures = 0;
            self.moves = 0;
        }
    }

    fn tree_gone(
        &mut self,
        phase: Phase,
        in_use: bool,
        now: Instant,
        jitter: f64,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::Harden);
        self.pid = None;
        let ended = self.ended.take().unwrap_or(ExitStatus::Signal(9));
        match phase {
            Phase::Stopping(Then::Rest) => self.enter(Phase::Stopped, now),
            Phase::Stopping(Then::Start) => self.prepare(now, effects),
            Phase::Stopping(Then::Fail(why)) => self.fail(why, now, effects),
            Phase::Stopping(Then::Retry(why)) => self.again(why, now, jitter, effects),
            Phase::Stopping(Then::Move { port, by }) => {
                self.enter(Phase::Moving, now);
                effects.push(Effect::Move { port, by });
            }
            Phase::Starting { listening: false }
                if self.policy.listens && in_use && !self.without_hold =>
            {
                self.without_hold = true;
                effects.push(Effect::Say(Say::WithoutHold));
                self.begin(now, effects);
            }
            Phase::Starting { .. } | Phase::Ready | Phase::Unhealthy => {
                self.forget_failures(now);
                let unready = matches!(phase, Phase::Starting { .. });
                if self.policy.restart == RestartPolicy::Always {
                    self.again(ended.into(), now, jitter, effects);
                } else if unready && ended.is_a_missing_program() {
                    // It will be as missing the next time.
                    self.fail(ended.into(), now, effects);
                } else if ended.is_success() && unready && self.policy.listens {
                    self.fail(FailureReason::ExitedBeforeListening, now, effects);
                } else if ended.is_success() {
                    self.enter(Phase::Completed, now);
                    effects.push(Effect::Say(Say::Completed));
                } else if self.policy.restart == RestartPolicy::Never {
                    self.fail(ended.into(), now, effects);
                } else {
                    self.again(ended.into(), now, jitter, effects);
                }
            }
            _ => {}
        }
    }

    /// Starts again after a growing pause, or gives up.
    fn again(&mut self, why: FailureReason, now: Instant, jitter: f64, effects: &mut Vec<Effect>) {
        self.failures += 1;
        if self.failures > MAX_FAILURES {
            let why = FailureReason::GaveUp {
                restarts: MAX_FAILURES,
                cause: Box::new(why),
            };
            return self.fail(why, now, effects);
        }
        let pause = FIRST_PAUSE * 2_u32.pow(self.failures - 1);
        let after = pause.min(LONGEST_PAUSE).mul_f64(0.8 + 0.4 * jitter);
        self.restarts += 1;
        self.enter(Phase::Backoff, now);
        self.reason = Some(why.clone());
        effects.push(Effect::Say(Say::Again { why, after }));
        effects.push(Effect::Timer {
            epoch: self.epoch,
            after,
        });
    }
}

#[cfg(test)]
mod tests;
