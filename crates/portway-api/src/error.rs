//! Errors: a stable code, a message and help.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of an error. Codes do not change between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// An error without a more specific code.
    Failed,
    /// The command line is invalid.
    Usage,
    /// Neither this directory nor a parent directory contains a `portway.toml`.
    NoManifest,
    /// `portway.toml` is invalid.
    ManifestInvalid,
    /// A preference in `config.toml` or in an environment variable is invalid.
    PreferencesInvalid,
    /// `.ports.json` is invalid or cannot be read.
    PortsFileInvalid,
    /// The project has no service of this name.
    UnknownService,
    /// A required program is not installed or cannot be executed.
    MissingRequirement,
    /// A requested port is in use.
    PortTaken,
    /// Portway refused the request because it would cause damage.
    Refused,
    /// The requested object does not exist.
    #[serde(rename = "nothing_there")]
    NotFound,
    /// Every port of a service's range is in use.
    RangeFull,
    /// A service or its prepare step failed.
    ServiceFailed,
    /// The instance or the gateway is not running.
    NotRunning,
    /// The supervisor of the instance does not respond: it may be suspended.
    Unresponsive,
    /// The registry or another file in Portway's state directory cannot be used.
    State,
    /// The operation did not complete within its time limit.
    Timeout,
    /// A signal interrupted the command.
    Interrupted,
}

impl ErrorCode {
    /// Returns the exit code of a command that fails with this error.
    pub fn exit(self) -> u8 {
        match self {
            Self::Failed | Self::Refused | Self::NotRunning | Self::Unresponsive | Self::State => 1,
            Self::Usage
            | Self::NoManifest
            | Self::ManifestInvalid
            | Self::PreferencesInvalid
            | Self::PortsFileInvalid
            | Self::UnknownService => 2,
            Self::MissingRequirement => 3,
            Self::PortTaken | Self::RangeFull => 4,
            Self::ServiceFailed => 5,
            Self::NotFound => 6,
            Self::Timeout => 124,
            Self::Interrupted => 130,
        }
    }
}

/// An error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorInfo {
    /// The stable code.
    pub code: ErrorCode,
    /// The message: one sentence, in lower case, without a final period.
    pub message: String,
    /// The location of the error: `FILE:LINE:COLUMN` or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// How to fix it, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// The document that is returned or printed instead of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorInfo,
}
