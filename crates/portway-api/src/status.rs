//! The status of instances and services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FailureReason, PortDisplacement};

/// The state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Some services have not been ready since the instance was started.
    Starting,
    /// Every started service is ready or completed.
    Ready,
    /// The instance is running, but a service failed, stopped, is unhealthy, waits for a failed one
    /// or is being restarted.
    Degraded,
    /// The instance is being stopped.
    Stopping,
    /// The instance is running, and its supervisor does not respond: it may be suspended.
    Unresponsive,
    /// The instance is not running. Its leases are retained.
    Stopped,
}

/// The state of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// The service was not started or has been stopped. With a `reason`, it stopped by itself.
    Stopped,
    /// The service waits for services that it depends on. With a `reason`, one of them failed.
    Waiting,
    /// The prepare step is running.
    Preparing,
    /// The service is running and not yet ready.
    Starting,
    /// The service is ready.
    Ready,
    /// The service is running and is not ready: it no longer listens on its port, its liveness probe
    /// fails, or it was not ready before its readiness timeout.
    Unhealthy,
    /// The service exited and restarts after a delay.
    Backoff,
    /// The service is being stopped.
    Stopping,
    /// The service, which has no port, exited with code 0, as a one-shot service does.
    Completed,
    /// The service failed and is not restarted.
    Failed,
    /// The supervisor does not respond.
    Unknown,
}

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortStatus {
    /// The port's name within the service; missing for the only or main port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The port number.
    pub port: u16,
    /// The port that the service uses inside the network of an isolated instance; missing without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<u16>,
    /// Whether the service opened it in the network of an isolated instance without a manifest or the
    /// detection expecting it. Its name is the number there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// The port's URL.
    pub url: String,
    /// Why the service is on this port; missing when it is the port that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displaced: Option<PortDisplacement>,
    /// Why Portway assigns this port only when it is requested by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// A service of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceStatus {
    /// The service's name.
    pub name: String,
    /// The service's state.
    pub state: ServiceState,
    /// The URL of the main port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The URL with the service's name; missing when no gateway routes to the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_url: Option<String>,
    /// The gateway's fixed ports that route to the service (`portway forward`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<u16>,
    /// The URLs on the local network, while the service is available there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lan_urls: Vec<String>,
    /// The maximum size, in bytes, of a request body that the gateway forwards to the service;
    /// missing when there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body: Option<u64>,
    /// Which local URLs the gateway rewrites in the responses of the service.
    #[serde(default, skip_serializing_if = "UrlRewriting::is_none")]
    pub rewriting: UrlRewriting,
    /// The service's ports, the main port first.
    #[serde(default)]
    pub ports: Vec<PortStatus>,
    /// The process id of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When the service entered its state, in milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// How often Portway restarted the service after it exited or failed.
    #[serde(default)]
    pub restarts: u32,
    /// The database that must have no tables, or else the command does not run: a service or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_if_empty: Option<String>,
    /// Why the service failed or is being restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FailureReason>,
    /// The text form of `reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The last lines that the service printed before it failed, since its last start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_output: Vec<String>,
}

impl ServiceStatus {
    /// Creates the status of a service without a process: nothing is known but its ports, the main port
    /// first.
    pub fn without_process(
        name: impl Into<String>,
        state: ServiceState,
        ports: Vec<PortStatus>,
    ) -> Self {
        Self {
            name: name.into(),
            state,
            url: ports.first().map(|port| port.url.clone()),
            named_url: None,
            forwards: Vec::new(),
            lan_urls: Vec::new(),
            max_body: None,
            rewriting: UrlRewriting::None,
            ports,
            pid: None,
            since: None,
            restarts: 0,
            only_if_empty: None,
            reason: None,
            message: None,
            last_output: Vec::new(),
        }
    }

    /// Returns whether the service is not ready and does not become ready without help: it failed,
    /// stopped by itself, waits for a service that failed, or was not ready in time.
    pub fn has_failed(&self) -> bool {
        let reason = self.reason.as_ref();
        match self.state {
            ServiceState::Failed => true,
            ServiceState::Stopped => reason.is_some(),
            ServiceState::Waiting => reason.is_some_and(FailureReason::is_dependency),
            ServiceState::Unhealthy => reason.is_some_and(FailureReason::is_timeout),
            _ => false,
        }
    }
}

/// The network of an isolated instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NetworkStatus {
    /// A process inside, whose namespaces others can enter.
    pub pid: u32,
}

/// An instance: one checkout of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceStatus {
    /// The instance's id, which is unique on this machine.
    pub id: String,
    /// The instance's name, such as `jobi` or `fix-login.jobi`.
    pub name: String,
    /// The project's name.
    pub project: String,
    /// The checkout's directory, without symbolic links.
    pub directory: String,
    /// The checked-out branch, or an abbreviated commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The instance's state.
    pub state: InstanceState,
    /// The supervisor's process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When the supervisor started, in milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The main service. The instance's own name routes to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main: Option<String>,
    /// Path routes from the main service's origin to other services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<PathRoute>,
    /// Whether services are available on the local network.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lan: bool,
    /// The instance's own network; missing if its services use that of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkStatus>,
    /// The project's files that have changed since they were last applied, relative to the directory if
    /// they are in it. `portway up` applies them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_files: Vec<String>,
    /// The services, in the order of the manifest.
    pub services: Vec<ServiceStatus>,
    /// The port numbers by which the project's own files call the ports of HTTP services. The first one of a
    /// port is the likeliest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usual_ports: Vec<UsualPort>,
}

impl InstanceStatus {
    /// Returns the service named `name`.
    pub fn service(&self, name: &str) -> Option<&ServiceStatus> {
        self.services.iter().find(|service| service.name == name)
    }
}

/// A path that, with everything below it, routes to another service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PathRoute {
    /// The path. It starts with `/` and does not end with one.
    pub path: String,
    /// The target service.
    pub service: String,
    /// Whether the gateway removes the path before it forwards a request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strip: bool,
}

/// A port number by which the project's own files call a port of a service, such as 8000 in
/// `http://localhost:8000`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsualPort {
    /// The number in the files.
    pub port: u16,
    /// The service.
    pub service: String,
    /// The port that the service has in this instance.
    pub actual: u16,
}

/// Which local URLs the gateway rewrites in the responses of a service, where they contain a usual
/// port.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum UrlRewriting {
    /// None.
    #[default]
    None,
    /// Those in headers, such as the target of a redirect.
    Headers,
    /// Those in headers, and in HTML, CSS, JavaScript and JSON.
    Pages,
}

impl UrlRewriting {
    /// Returns whether nothing is rewritten.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// The services to which a request applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSelection {
    /// The names of the services. An empty list selects all services.
    #[serde(default)]
    pub services: Vec<String>,
}
