//! The ports of this machine, as a map of them shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PortReport;

/// The port ranges of this user, and everyone who has a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortMap {
    /// The ranges from which services that name none are given ports.
    pub ranges: Vec<NamedRange>,
    /// The range that the kernel gives ports from by itself, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral: Option<NamedRange>,
    /// Ports of these ranges that are not given out to anyone who does not ask for them by number.
    pub excluded: Vec<ExcludedPort>,
    /// Every port that anybody listens on, or that is kept for a service.
    pub ports: Vec<PortReport>,
}

/// A port that is not given out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExcludedPort {
    /// The port.
    pub port: u16,
    /// Why.
    pub reason: String,
}

/// A range of ports, both ends in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedRange {
    /// What it is for.
    pub name: String,
    /// Its first port.
    pub first: u16,
    /// Its last port.
    pub last: u16,
}

/// How a port is to be freed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreePort {
    /// Only tell what would be ended.
    #[serde(default)]
    pub dry_run: bool,
}
