//! The inputs and effects of a service's state machine.

use std::time::Duration;

use portway_api::{FailureReason, PortConflict};
use portway_ports::Families;
use portway_project::policy::RestartPolicy;

/// The parts of a service's manifest that determine its transitions.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// When to restart the service.
    pub restart: RestartPolicy,
    /// How long the service may take to become ready.
    pub ready_timeout: Duration,
    /// Whether the service has a prepare step.
    pub has_prepare_step: bool,
    /// Whether the service has ports.
    pub has_ports: bool,
    /// Whether the service has a readiness probe in addition to its port.
    pub has_readiness_probe: bool,
}

/// How a process exited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// The process exited with this code.
    Code(i32),
    /// This signal terminated the process.
    Signal(i32),
}

impl ExitStatus {
    /// The status of a process that was killed or whose status is unknown.
    pub(crate) const KILLED: Self = Self::Signal(9);

    /// Returns whether the process exited with code 0.
    pub(crate) fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// Returns whether a shell did not find the command (127) or could not execute it (126).
    pub(super) fn is_missing_command(self) -> bool {
        matches!(self, Self::Code(126 | 127))
    }
}

impl From<ExitStatus> for FailureReason {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Code(127) => Self::CommandNotFound,
            ExitStatus::Code(126) => Self::CommandNotExecutable,
            ExitStatus::Code(code) => Self::Exited { code },
            ExitStatus::Signal(signal) => Self::Signaled { signal },
        }
    }
}

/// An input of the state machine.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A user requested a start.
    Start,
    /// A user requested a stop.
    Stop,
    /// A user requested a restart.
    Restart,
    /// All services that this one depends on have reached the required state.
    DependenciesMet,
    /// A service that this one depends on failed.
    DependencyFailed(FailureReason),
    /// The prepare step succeeded or was not necessary.
    Prepared,
    /// The prepare step failed.
    PrepareFailed(FailureReason),
    /// The process was started with this pid.
    Started(u32),
    /// The process could not be started.
    StartFailed(FailureReason),
    /// The service's process tree listens on all its ports, in these address families.
    Listening(Families),
    /// Another process listens on the service's port.
    PortLost { port: u16, taken_by: PortConflict },
    /// The lost port was replaced. The new port is held.
    PortReplaced,
    /// The lost port could not be replaced.
    PortNotReplaced(FailureReason),
    /// The readiness probe succeeded.
    ReadinessProbeSucceeded,
    /// True: a liveness probe succeeded. False: as many probes in a row failed as the manifest
    /// allows.
    LivenessChecked(bool),
    /// The process that runs the command has exited.
    LeaderExited(ExitStatus),
    /// No process of the tree is left. `address_in_use`: the service's last output may report an
    /// address that is in use.
    TreeGone { address_in_use: bool },
    /// The timer of this epoch expired.
    Timer(u64),
}

/// An action that the state machine requests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Run the prepare step.
    Prepare,
    /// Soften the hold and start the process. `release_port`: release the hold instead.
    Start { release_port: bool },
    /// Repeat the readiness probe until it succeeds.
    StartReadinessProbe,
    /// Repeat the liveness probe until the process tree is gone.
    StartLivenessProbe,
    /// Settle the hold: the service listens in these address families.
    SettleHold(Families),
    /// Restore the hold: no process of the service is running.
    RestoreHold,
    /// Stop the process tree, and kill it after the grace period.
    StopTree,
    /// Assign another port in place of `port`.
    ReplacePort { port: u16, taken_by: PortConflict },
    /// Send [`Input::Timer`] with `epoch` after this delay.
    SetTimer { epoch: u64, after: Duration },
    /// Report a transition to users.
    Notify(Transition),
}

/// A transition that is reported to users.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Transition {
    /// The service is ready, this long after its start.
    Ready(Duration),
    /// The service failed and restarts after the delay.
    Restarting {
        reason: FailureReason,
        delay: Duration,
    },
    /// The service could not bind its port while Portway held it. It restarts without the hold.
    RestartingWithoutHold,
    /// The service failed and is not restarted.
    Failed(FailureReason),
    /// The service exited with code 0.
    Completed,
}
