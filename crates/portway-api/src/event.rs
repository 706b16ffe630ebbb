//! Events of a running instance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{InstanceStatus, LogRecord};

/// The severity of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeLevel {
    /// Progress: a prepare step starts, a service is ready.
    Info,
    /// Something differs from the request: a port moved, a service restarts.
    Warning,
    /// A service failed and is not restarted.
    Error,
}

/// A message from Portway about a service or the instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// The severity.
    pub level: NoticeLevel,
    /// The service; missing when the message is about the instance.
    pub service: Option<String>,
    /// The message: one sentence, without a final period. A message about a service reads after
    /// the service's name.
    pub text: String,
}

/// An event of an instance. Server-sent events carry it as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The instance's status after a change.
    Status(Box<InstanceStatus>),
    /// A line of a service's log.
    Log(LogRecord),
    /// A message from Portway.
    Notice(Notice),
}
