//! The map of this machine's ports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PortReport;

/// The port ranges of the current user and the ports in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortMap {
    /// The default ranges from which Portway assigns ports.
    pub ranges: Vec<NamedRange>,
    /// The kernel's ephemeral port range, if the system reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<NamedRange>,
    /// Ports within `ranges` that Portway assigns only when they are requested by number.
    pub excluded: Vec<ExcludedPort>,
    /// All ports that are in use or leased.
    pub ports: Vec<PortReport>,
}

/// A port that Portway assigns only when it is requested by number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExcludedPort {
    /// The port.
    pub port: u16,
    /// Why the port is excluded.
    pub reason: String,
}

/// A range of ports, including both ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedRange {
    /// What the range is for.
    pub name: String,
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

/// A request to free a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreePortRequest {
    /// Report which processes would be stopped, without stopping them.
    #[serde(default)]
    pub dry_run: bool,
}
