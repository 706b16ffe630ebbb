//! Fixed ports of the gateway.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fixed port of the gateway and the service to which it routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forward {
    /// The fixed port.
    pub port: u16,
    /// The id of the target instance.
    pub id: String,
    /// The name of the target instance.
    pub instance: String,
    /// The target service.
    pub service: String,
    /// Why the gateway is not listening on the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// The service to which a fixed port routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardTarget {
    /// The instance's id.
    pub id: String,
    /// The service. It must be an HTTP service.
    pub service: String,
}
