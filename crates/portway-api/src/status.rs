//! The state of instances and their services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FailureReason, PortDisplacement};

/// What an instance does as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Some service is not ready for the first time yet.
    Starting,
    /// Every service that was started is ready or done.
    Ready,
    /// It runs, but some service has failed or is being restarted.
    Degraded,
    /// It is being stopped.
    Stopping,
    /// Nothing runs; its leases are kept.
    Stopped,
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// It was not asked for, or has been stopped.
    Stopped,
    /// It waits for the services it comes after.
    Waiting,
    /// Its prepare step runs.
    Preparing,
    /// It runs and is not ready yet.
    Starting,
    /// It is ready.
    Ready,
    /// It runs, but its liveness probe fails.
    Unhealthy,
    /// It ended and will be started again after a pause.
    Backoff,
    /// It is being stopped.
    Stopping,
    /// It ended with success, as a one-shot service does.
    Completed,
    /// It failed and is not started again.
    Failed,
}

/// One port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortStatus {
    /// The name within the service; `None` for the only or main port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The port.
    pub port: u16,
    /// Where to reach it.
    pub url: String,
    /// Set when it is not the port that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displaced: Option<PortDisplacement>,
    /// Why this port would not have been given out, had nobody asked for it by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// One service of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceStatus {
    /// The service's name.
    pub name: String,
    /// What it does.
    pub state: ServiceState,
    /// The URL of its main port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its URL by name, when a gateway serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_url: Option<String>,
    /// Fixed ports of the gateway that lead to it (`portway forward`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<u16>,
    /// Its URLs on the local network, by address, while it is served there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lan_urls: Vec<String>,
    /// The largest body of a request that the gateway passes on to it, in bytes; any where it is
    /// missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<u64>,
    /// Its ports, the main one first.
    #[serde(default)]
    pub ports: Vec<PortStatus>,
    /// The process that its command became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When it came into this state, in milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// How often it was started again after it ended by itself.
    #[serde(default)]
    pub restarts: u32,
    /// Why the service failed or is being restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailureReason>,
    /// The text form of `reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// One checkout of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceStatus {
    /// Identifies the checkout on this machine.
    pub id: String,
    /// Its name, such as `jobi` or `fix-login.jobi`.
    pub name: String,
    /// The project's name.
    pub project: String,
    /// The checkout's real directory.
    pub directory: String,
    /// The branch that is checked out, or a short commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// What it does.
    pub state: InstanceState,
    /// The supervisor's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When the supervisor started, in milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The service that the instance's own name leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main: Option<String>,
    /// Paths of the main service's origin that lead to other services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<PathRoute>,
    /// Whether it serves on the local network.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lan: bool,
    /// Its services in the order of the manifest.
    pub services: Vec<ServiceStatus>,
}

impl InstanceStatus {
    /// Its service of that name.
    pub fn service(&self, name: &str) -> Option<&ServiceStatus> {
        self.services.iter().find(|service| service.name == name)
    }
}

/// A path, with everything below it, that leads to another service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PathRoute {
    /// The path: it begins with `/` and does not end with one.
    pub path: String,
    /// The service that answers there.
    pub service: String,
    /// Whether the service is asked without the path.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strip: bool,
}

/// A request about some services; an empty list means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// The names.
    #[serde(default)]
    pub services: Vec<String>,
}
