//! Fixed ports that lead to a service of one checkout at a time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fixed port of the gateway, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forward {
    /// The port.
    pub port: u16,
    /// The instance's id.
    pub id: String,
    /// The instance's name.
    pub instance: String,
    /// The service.
    pub service: String,
    /// Why the gateway does not serve there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Where a fixed port shall lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardTo {
    /// The instance's id.
    pub id: String,
    /// The service; it speaks HTTP.
    pub service: String,
}
