//! What a running instance tells to those who listen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{InstanceStatus, LogRecord};

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeLevel {
    /// Good to know: a prepare step begins, a service is ready.
    Info,
    /// Something differs from what was asked for: a port moved, a service is restarted.
    Warning,
    /// Something failed for good.
    Error,
}

/// One sentence about a service or the whole instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// How loud it is.
    pub level: NoticeLevel,
    /// The service it is about, if it is about one.
    pub service: Option<String>,
    /// One sentence without a full stop.
    pub text: String,
}

/// One event of an instance; server-sent events carry it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The status after a change.
    Status(InstanceStatus),
    /// A line of a log.
    Log(LogRecord),
    /// A sentence from Portway.
    Notice(Notice),
}
