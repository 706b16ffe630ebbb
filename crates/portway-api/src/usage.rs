//! What services use of the machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one service uses, with everything that it has started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceUsage {
    /// The instance's id.
    pub instance: String,
    /// The service.
    pub service: String,
    /// Processor time since the former reading, in percent of one processor: 200 are two that are
    /// busy. Missing with the first reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Resident memory in bytes; what processes share counts once for each.
    pub memory: u64,
    /// How many processes there are.
    pub processes: u32,
}
