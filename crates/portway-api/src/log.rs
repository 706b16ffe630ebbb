//! One line that a service printed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// The service's standard output.
    Out,
    /// The service's standard error.
    Err,
    /// Portway itself, speaking about the service.
    Portway,
}

/// One line of a service's log, as it lies on disk (one JSON object a line) and goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogRecord {
    /// Milliseconds since 1970-01-01 UTC.
    pub time: u64,
    /// Counts the lines of one instance upwards, across restarts of the supervisor.
    pub number: u64,
    /// The service.
    pub service: String,
    /// Where the line came from.
    pub stream: LogStream,
    /// The text without its newline. Invalid UTF-8 is replaced; escape sequences are kept, so
    /// whoever prints it must make it harmless first.
    pub text: String,
}
