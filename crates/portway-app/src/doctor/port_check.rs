//! The observed and the expected state of a service's port.

use portway_ports::Families;

use crate::inspect::{InnerPort, PortOccupant};

/// A port of a service, and the processes that listen there.
#[derive(Clone, Debug)]
pub(super) struct PortCheck {
    /// The service.
    pub(super) service: String,
    /// The port.
    pub(super) port: u16,
    /// The expected state of the service.
    pub(super) expected: Expected,
    /// The key of `.ports.json` that requires this port, if a user set it.
    pub(super) forced: Option<String>,
    /// The port inside the network of the instance, if it listens in one.
    pub(super) inner: Option<InnerPort>,
    /// The processes that are listening.
    pub(super) occupants: Vec<PortOccupant>,
    /// The address families that accept connections to `localhost`.
    pub(super) families: Families,
}

/// The expected state of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It is running.
    Listening,
    /// It is starting.
    Starting,
    /// It is stopped while other services are running.
    Stopped,
    /// It failed or is about to be restarted, for this reason.
    Failed(String),
    /// No service of the checkout is running.
    NotRunning,
}

impl PortCheck {
    /// Returns whether only the service itself is listening.
    pub(super) fn is_own(&self) -> bool {
        !self.occupants.is_empty() && self.occupants.iter().all(|one| one.kind.is_own())
    }
}

/// Returns whether no service is running, and none is expected to.
pub(super) fn is_nothing_running(port_checks: &[PortCheck]) -> bool {
    let is_stopped = |port_check: &PortCheck| {
        port_check.expected == Expected::NotRunning
            && !port_check.occupants.iter().any(|one| one.kind.is_own())
    };
    port_checks.iter().all(is_stopped)
}
