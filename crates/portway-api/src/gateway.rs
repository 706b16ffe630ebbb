//! The gateway that serves the names of all instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A gateway that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayStatus {
    /// The port on which it serves HTTP.
    pub port: u16,
    /// The port on which it serves HTTPS, when there is a local CA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_port: Option<u16>,
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
