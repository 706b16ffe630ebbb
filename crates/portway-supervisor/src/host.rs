//! The interface between a supervisor and the application that runs it.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::sync::Arc;

use indexmap::IndexMap;
use portway_api::{ApplyRequest, ErrorInfo, PortDisplacement};
use portway_ports::Hold;
use portway_project::{AssignedPorts, Plan, PrepareStep, Wiring};

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

    /// Assigns a port of the host to one that `service` has opened in the network of the instance, in
    /// addition to those of the plan. It is leased and held, and `.ports.json` contains it.
    ///
    /// # Errors
    /// When no port is available.
    fn observe_port(&mut self, service: &str, inner: u16) -> Result<Arc<Hold>, HostError>;

    /// Removes an observed port from `.ports.json`. Its lease stays.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn forget_observed_port(&mut self, service: &str, inner: u16) -> Result<(), HostError>;

    /// Returns the ports inside that services of this instance have opened in addition to those of the plan,
    /// now or at an earlier start. Empty if that is unknown.
    fn ports_observed_before(&mut self) -> HashSet<u16>;

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

    /// Returns the ports that are leased to any instance of the user; `None` if that is unknown.
    fn leased_ports(&mut self) -> Option<HashSet<u16>>;

    /// Returns the job that plans a change of the project that runs. It reads the project's files,
    /// leases and holds new ports, and may take seconds, so it runs on another thread.
    fn plan_change(&self, request: ApplyRequest, running: RunningProject) -> ChangeJob;
}

/// A job that plans a change of the project. Its error is the answer to the request.
pub type ChangeJob = Box<dyn FnOnce() -> Result<Change, ErrorInfo> + Send>;

/// The project that a supervisor runs.
pub struct RunningProject {
    /// The plan.
    pub plan: Plan,
    /// The ports of all services.
    pub ports: AssignedPorts,
    /// The wiring with these ports.
    pub wiring: Wiring,
}

/// A change of the project that a supervisor runs.
pub struct Change {
    /// The instance's new name.
    pub name: String,
    /// The new plan.
    pub plan: Plan,
    /// The ports of its services.
    pub ports: AssignedPorts,
    /// The wiring with these ports.
    pub wiring: Wiring,
    /// Why new ports differ from the wanted ones, by the assigned port.
    pub displaced: HashMap<u16, PortDisplacement>,
    /// Why ports are normally excluded, by port.
    pub warnings: HashMap<u16, String>,
    /// The holds of new ports. They are hard.
    pub holds: Vec<Arc<Hold>>,
    /// The services that are to run.
    pub services: Vec<String>,
    /// The services of both plans that must restart, with the reasons.
    pub restarts: IndexMap<String, Vec<String>>,
    /// The services on the local network, if there are any.
    pub lan_services: Option<Vec<String>>,
    /// The host of the new plan; `None` if the plan and its ports are the same.
    pub host: Option<Box<dyn SupervisorHost>>,
    /// Called when the change takes effect. Returns within milliseconds.
    pub on_applied: Box<dyn FnOnce() + Send>,
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
