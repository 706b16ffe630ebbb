//! Errors as programs see them: a stable code, words for people, the way out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong, in a word that does not change between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Anything without a code of its own.
    Failed,
    /// The command line is wrong.
    Usage,
    /// No `portway.toml` here or in a directory above.
    NoManifest,
    /// `portway.toml` says something that cannot be.
    ManifestInvalid,
    /// A preference, in `config.toml` or a variable, says something that cannot be.
    PreferencesInvalid,
    /// `.ports.json` cannot be used.
    PortsFileInvalid,
    /// A service that is named does not exist.
    UnknownService,
    /// A program that is needed is not there.
    MissingRequirement,
    /// A port that was asked for belongs to somebody else.
    PortTaken,
    /// What was asked for would do harm, and was not done.
    Refused,
    /// There is nothing of the kind that was asked about.
    NothingThere,
    /// Every port of a service's range is taken.
    RangeFull,
    /// A service, or its prepare step, failed.
    ServiceFailed,
    /// The instance is not running.
    NotRunning,
    /// The registry, or another file of Portway's own state, cannot be used.
    State,
    /// What was waited for did not come in time.
    Timeout,
    /// A signal ended the command.
    Interrupted,
}

impl ErrorCode {
    /// The exit code that goes with it.
    pub fn exit(self) -> u8 {
        match self {
            Self::Failed | Self::Refused | Self::NotRunning | Self::State => 1,
            Self::Usage
            | Self::NoManifest
            | Self::ManifestInvalid
            | Self::PreferencesInvalid
            | Self::PortsFileInvalid
            | Self::UnknownService => 2,
            Self::MissingRequirement => 3,
            Self::PortTaken | Self::RangeFull => 4,
            Self::ServiceFailed => 5,
            Self::NothingThere => 6,
            Self::Timeout => 124,
            Self::Interrupted => 130,
        }
    }
}

/// One error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorInfo {
    /// The stable code.
    pub code: ErrorCode,
    /// One sentence without a full stop.
    pub message: String,
    /// Where it is: `FILE:LINE:COLUMN` or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What to do about it, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// What is printed or answered instead of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorInfo,
}
