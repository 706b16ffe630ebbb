//! The report of `portway doctor`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The report of `portway doctor` on a checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The directory of the checkout.
    pub directory: String,
    /// Whether no finding is an error. Warnings do not count.
    pub healthy: bool,
    /// The results of all checks, including successful ones. A finding comes after those that it
    /// depends on.
    pub findings: Vec<Finding>,
    /// What `--fix` fixed. The findings describe the state after that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<AppliedFix>,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The result's severity.
    pub severity: Severity,
    /// What was checked: a service, a file, `localhost`…
    pub subject: String,
    /// The result, as text that follows the subject, without a final period.
    pub message: String,
    /// The location: `FILE:LINE`, `FILE:LINE:COLUMN` or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// How to fix the problem; missing when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<String>,
    /// A command that fixes the problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Whether `portway doctor --fix` fixes the problem.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixable: bool,
}

/// A check of `portway doctor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The preferences in `config.toml` and in environment variables. Reported only when they are
    /// invalid.
    Preferences,
    /// `portway.toml`, or the services that Portway detected without one.
    Manifest,
    /// The registry can be used.
    Registry,
    /// `.ports.json` exists, is valid, agrees with the leases and belongs to this checkout.
    PortsFile,
    /// The services of the checkout are running.
    Running,
    /// Each service listens on its port, and no other process does.
    Listening,
    /// Each service responds over HTTP.
    Answer,
    /// Each backend allows cross-origin requests from the frontends.
    Cors,
    /// The target of a frontend's development proxy.
    Proxy,
    /// Local URLs in the source files of a frontend.
    Literal,
    /// The local CA for HTTPS. Reported only when a CA exists and cannot be used.
    LocalCa,
    /// Local URLs in `.env` files.
    EnvFile,
    /// Stale leases and processes.
    Lease,
    /// The addresses of the name `localhost`.
    Localhost,
    /// The system clock agrees with recorded times.
    Clock,
    /// Free disk space.
    Disk,
    /// Resource limits of this user's processes.
    Limits,
    /// Log files of the supervisor and the gateway.
    Logs,
}

/// The severity of a finding.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// No problem.
    Fine,
    /// A possible problem.
    Warning,
    /// A problem.
    Error,
}

/// A problem that `portway doctor --fix` fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedFix {
    /// The check that found the problem.
    pub check: Check,
    /// What was checked.
    pub subject: String,
    /// What was done, without a final period.
    pub message: String,
}
