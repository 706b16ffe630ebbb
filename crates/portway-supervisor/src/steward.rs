//! What a supervisor needs from outside and does not decide itself.

use std::sync::Arc;

use portway_ports::Hold;
use portway_project::{AssignedPorts, PrepareStep, Wiring};

/// Replaces lost ports and remembers what was prepared. All of it is quick: the supervisor waits.
pub trait Steward: Send {
    /// Finds another port for `service` in place of `lost`: leased, held, and written down for all
    /// to see.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn replace_port(&mut self, service: &str, lost: u16) -> Result<Moved, String>;

    /// Whether the prepare step of `service` is still good: same command, same inputs, and what it
    /// made is there.
    ///
    /// # Errors
    /// When an input that the manifest names cannot be read.
    fn is_prepared(&mut self, service: &str, step: &PrepareStep) -> Result<bool, String>;

    /// Remembers that the prepare step of `service` has succeeded.
    fn remember_prepared(&mut self, service: &str, step: &PrepareStep);
}

/// A port that took the place of another.
pub struct Moved {
    /// The new port, held hard.
    pub hold: Arc<Hold>,
    /// All ports of the instance now.
    pub ports: AssignedPorts,
    /// What all services are told now.
    pub wiring: Wiring,
}
