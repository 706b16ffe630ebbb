//! Resource usage of services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The resource usage of a service's process tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceUsage {
    /// The instance's id.
    pub instance: String,
    /// The service.
    pub service: String,
    /// CPU time since the previous reading, in percent of one processor: 200 means two busy
    /// processors. Missing in the first reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Resident memory in bytes. Memory that several processes share is counted for each of them.
    pub memory: u64,
    /// The number of processes.
    pub processes: u32,
}
