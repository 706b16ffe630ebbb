//! The gateway that serves the names of all instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A gateway that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayStatus {
    /// The port on which it serves HTTP.
    pub port: u16,
    /// Its process.
    pub pid: u32,
    /// When it started, in milliseconds since 1970-01-01 UTC.
    pub since: u64,
    /// Its version.
    pub version: String,
}

impl GatewayStatus {
    /// The URL of a name: the port is left out where it is HTTP's own.
    pub fn url(&self, name: &str) -> String {
        match self.port {
            80 => format!("http://{name}"),
            port => format!("http://{name}:{port}"),
        }
    }
}
