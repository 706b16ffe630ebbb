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

    /// Returns whether the command cannot succeed: a shell did not find it (127) or could not
    /// execute it (126), or a program that starts others was used incorrectly (125).
    pub(super) fn is_usage_error(self) -> bool {
        matches!(self, Self::Code(125..=127))
    }
}

impl From<ExitStatus> for FailureReason {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Code(127) => Self::CommandNotFound,
            ExitStatus::Code(126) => Self::CommandNotExecutable,
            ExitStatus::Code(code) => Self::Exited { code, line: None },
            ExitStatus::Signal(signal) => Self::Signaled { signal },
        }
    }
}

/// What is known about the end of a process tree, apart from the exit status.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExitContext {
    /// The last output may report an address that is in use.
    pub address_in_use: bool,
    /// A port of the service that another process uses, if the address may be in use.
    pub lost_port: Option<(u16, PortConflict)>,
    /// The service is in the network of the instance, and its last output reports an address that is in use
    /// there, probably by a port of the host.
    pub inner_conflict: bool,
    /// The line of output that reports a missing module or file.
    pub missing_file: Option<String>,
    /// The program that a shell did not find, as far as the output says.
    pub missing_program: Option<String>,
    /// The line of output that says why the process exited.
    pub cause: Option<String>,
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
    /// A service that this one depends on failed or is stopped.
    DependencyFailed(FailureReason),
    /// No service that this one depends on has failed, after one had.
    DependenciesPending,
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
    /// The service's process tree does not listen on one of its ports.
    NotListening,
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
    /// A process that stayed after the leader had exited with code 0 failed.
    DaemonFailed(ExitStatus),
    /// No process of the tree is left.
    TreeGone(ExitContext),
    /// The timer of this epoch expired. The process may wait for an answer to this question.
    Timer(u64, Option<String>),
}

/// An action that the state machine requests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Run the prepare step.
    Prepare,
    /// Soften the hold and start the process. `release_port`: release the hold instead or, in the network of
    /// the instance, close the ports of the host that the process probably needs.
    Start { release_port: bool },
    /// Repeat the readiness probe until it succeeds, from the beginning if it runs already.
    StartReadinessProbe,
    /// Repeat the liveness probe until the process tree is gone, unless this happens already.
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
    /// The service may be unable to bind its port while Portway holds it. It restarts without the hold.
    RestartingWithoutHold,
    /// In the network of the instance, a port of the host probably has the number that the service needs. It
    /// restarts, and the port is closed.
    RestartingWithoutHostPorts,
    /// The service failed and is not restarted.
    Failed(FailureReason),
    /// The service was not ready in time. It keeps running.
    TimedOut(FailureReason),
    /// The service is running and not ready any more.
    Unhealthy(FailureReason),
    /// The service waits for one that failed or is stopped.
    Blocked(FailureReason),
    /// The service, which has ports, exited with code 0.
    Stopped(FailureReason),
    /// The service, which has no ports, exited with code 0.
    Completed,
}
