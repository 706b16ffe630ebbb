//! The gateway that serves the names of all instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Forward, InstanceStatus, ServiceUsage};

/// A gateway that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayStatus {
    /// The port on which it serves HTTP.
    pub port: u16,
    /// The port on which it serves HTTPS, when there is a local CA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_port: Option<u16>,
    /// Its fixed ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<Forward>,
    /// Its process.
    pub pid: u32,
    /// When it started, in milliseconds since 1970-01-01 UTC.
    pub since: u64,
    /// Its version.
    pub version: String,
}

impl GatewayStatus {
    /// The URL of a name, by HTTPS where that is served. The port is left out where it is the
    /// protocol's own.
    pub fn url(&self, name: &str) -> String {
        match (self.tls_port, self.port) {
            (Some(443), _) => format!("https://{name}"),
            (Some(port), _) => format!("https://{name}:{port}"),
            (None, 80) => format!("http://{name}"),
            (None, port) => format!("http://{name}:{port}"),
        }
    }
}

/// One event of a gateway; server-sent events carry it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GatewayEvent {
    /// All instances, after a change.
    Instances {
        /// They, by name.
        instances: Vec<InstanceStatus>,
    },
    /// What services use of the machine, every few seconds.
    Usage {
        /// Those that run and of which the system tells.
        services: Vec<ServiceUsage>,
    },
}
