//! What a service's state machine is told, and what it answers.

use std::time::Duration;

use portway_api::{FailureReason, PortConflict};
use portway_ports::Families;
use portway_project::policy::RestartPolicy;

/// What the manifest says about a service's life.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Whether to start it again.
    pub restart: RestartPolicy,
    /// How long it may take to become ready.
    pub ready_timeout: Duration,
    /// Whether it has a prepare step.
    pub prepares: bool,
    /// Whether it has ports.
    pub listens: bool,
    /// Whether it has a readiness probe of its own beside its port.
    pub probes: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl ExitStatus {
    pub(super) fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// What a shell says when there is no such program, or it may not be run.
    pub(super) fn is_a_missing_program(self) -> bool {
        matches!(self, Self::Code(126 | 127))
    }
}

impl From<ExitStatus> for FailureReason {
    fn from(ended: ExitStatus) -> Self {
        match ended {
            ExitStatus::Code(127) => Self::CommandNotFound,
            ExitStatus::Code(126) => Self::CommandNotExecutable,
            ExitStatus::Code(code) => Self::Exited { code },
            ExitStatus::Signal(signal) => Self::Signaled { signal },
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Somebody wants it to run.
    Start,
    /// Somebody wants it to rest.
    Stop,
    /// Somebody wants it to run anew.
    Restart,
    /// All it waits for is there.
    DependenciesMet,
    /// Something it waits for will not come.
    DependencyFailed(FailureReason),
    /// The prepare step ended well, or was not needed.
    Prepared,
    /// The prepare step failed.
    PrepareFailed(FailureReason),
    /// Its process runs.
    Spawned(u32),
    /// Its process could not be started.
    SpawnFailed(FailureReason),
    /// Its own tree listens on all its ports, in these families.
    Listening(Families),
    /// Somebody else listens on this port of its own.
    Stolen { port: u16, by: PortConflict },
    /// Its port was replaced by another, which is held.
    Moved,
    /// Its port could not be replaced.
    MoveFailed(FailureReason),
    /// Its readiness probe succeeded.
    ProbeSucceeded,
    /// A liveness probe succeeded, or as many in a row failed as the manifest allows.
    Alive(bool),
    /// The process that its command became has ended.
    LeaderEnded(ExitStatus),
    /// Nothing of its tree is left. `in_use` tells that its last words were of an address in use.
    TreeGone { in_use: bool },
    /// A timer of this epoch ran out.
    Timer(u64),
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Run the prepare step.
    Prepare,
    /// Open the hold and start the process; `release`: let the port go first.
    Spawn { release: bool },
    /// Ask the readiness probe until it succeeds.
    Probe,
    /// Go on asking the liveness probe.
    WatchLiveness,
    /// Close the hold except for the families in which the service listens.
    Settle(Families),
    /// Close the hold: nothing of the service runs.
    Harden,
    /// Ask the tree to end, and end it when it does not.
    StopTree,
    /// Find another port for the one that was lost.
    Move { port: u16, by: PortConflict },
    /// Send [`Input::Timer`] with the epoch after the pause.
    Timer { epoch: u64, after: Duration },
    /// Tell people.
    Say(Say),
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Say {
    /// It is ready, so long after its start.
    Ready(Duration),
    /// It ended by itself and is started again after the pause.
    Again { why: FailureReason, after: Duration },
    /// It could not bind beside the hold and is started once more without it.
    WithoutHold,
    /// It failed for good.
    Failed(FailureReason),
    /// It ended with success.
    Completed,
}
