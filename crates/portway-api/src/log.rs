//! Log lines of services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The source of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// The service's standard output.
    Out,
    /// The service's standard error.
    Err,
    /// A message from Portway about the service.
    Portway,
}

/// One line of a service's log. On disk, each line of a log file is one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogRecord {
    /// The time, in milliseconds since 1970-01-01 UTC.
    pub time: u64,
    /// The line's number. Numbers of an instance ascend, also across restarts of its supervisor.
    pub number: u64,
    /// The service.
    pub service: String,
    /// The source of the line.
    pub stream: LogStream,
    /// The text, without its newline. Invalid UTF-8 is replaced. Terminal escape sequences are
    /// kept: remove them before you print the text.
    pub text: String,
}
