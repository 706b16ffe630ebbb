//! The interface between a supervisor and the application that runs it.

use std::error::Error;
use std::sync::Arc;

use portway_ports::Hold;
use portway_project::{AssignedPorts, PrepareStep, Wiring};

/// An error of a [`SupervisorHost`].
pub type HostError = Box<dyn Error + Send + Sync>;

/// Assigns ports and records prepare steps for a supervisor.
///
/// The supervisor waits for each call, so implementations must return within milliseconds.
pub trait SupervisorHost: Send {
    /// Assigns another port to `service` to replace the port `lost`. The new port is leased and
    /// held, and `.ports.json` contains it.
    ///
    /// # Errors
    /// When no port is available.
    fn replace_port(&mut self, service: &str, lost: u16) -> Result<ReplacementPort, HostError>;

    /// Returns whether the last prepare step of `service` is up to date: the command and its inputs
    /// are unchanged, and its outputs exist.
    ///
    /// # Errors
    /// When an input that the manifest names cannot be read.
    fn is_prepared(&mut self, service: &str, step: &PrepareStep) -> Result<bool, HostError>;

    /// Removes the records of the prepare step of `services`, which is about to run. It then runs again
    /// at the next start, unless [`record_prepare`](Self::record_prepare) follows.
    ///
    /// # Errors
    /// When the records cannot be removed.
    fn forget_prepare(&mut self, services: &[String]) -> Result<(), HostError>;

    /// Records that the prepare step of `service` has succeeded.
    fn record_prepare(&mut self, service: &str, step: &PrepareStep);
}

/// A port that replaces a lost one.
pub struct ReplacementPort {
    /// The hold on the new port. It is hard.
    pub hold: Arc<Hold>,
    /// All ports of the instance, including the new one.
    pub ports: AssignedPorts,
    /// The wiring with the new port.
    pub wiring: Wiring,
}
