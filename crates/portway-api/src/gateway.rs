//! The gateway that routes names to the services of all instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Forward, InstanceStatus, ServiceUsage};

/// The status of a running gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayStatus {
    /// The HTTP port.
    pub port: u16,
    /// The HTTPS port; missing when there is no local CA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_port: Option<u16>,
    /// The gateway's fixed ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<Forward>,
    /// The gateway's process id.
    pub pid: u32,
    /// The start time, in milliseconds since 1970-01-01 UTC.
    pub since: u64,
    /// The gateway's version.
    pub version: String,
}

impl GatewayStatus {
    /// Returns the URL of a name: HTTPS if the gateway serves it, otherwise HTTP. The protocol's
    /// default port is omitted.
    pub fn url(&self, name: &str) -> String {
        match (self.tls_port, self.port) {
            (Some(443), _) => format!("https://{name}"),
            (Some(port), _) => format!("https://{name}:{port}"),
            (None, 80) => format!("http://{name}"),
            (None, port) => format!("http://{name}:{port}"),
        }
    }
}

/// The ports on which a gateway listens. The registry records them for each instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayPorts {
    /// The port for HTTP.
    pub http: u16,
    /// The port for HTTPS, if the gateway serves it.
    pub https: Option<u16>,
    /// Its fixed ports, each of which routes to one checkout at a time.
    pub fixed: Vec<u16>,
}

impl From<&GatewayStatus> for GatewayPorts {
    fn from(status: &GatewayStatus) -> Self {
        Self {
            http: status.port,
            https: status.tls_port,
            fixed: status.forwards.iter().map(|forward| forward.port).collect(),
        }
    }
}

/// An event of the gateway. Server-sent events carry it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GatewayEvent {
    /// The status of all instances after a change.
    Instances {
        /// The instances, sorted by name.
        instances: Vec<InstanceStatus>,
    },
    /// Resource usage of services, sent every few seconds.
    Usage {
        /// The running services whose usage the system reports.
        services: Vec<ServiceUsage>,
    },
}
