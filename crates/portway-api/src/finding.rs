//! What is right and wrong in a checkout, and what would mend it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that was looked at, in the order in which one thing depends on another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The directory of the checkout.
    pub directory: String,
    /// Whether nothing is wrong; warnings do not count.
    pub healthy: bool,
    /// One for each fact, those included that are as they should be.
    pub findings: Vec<Finding>,
    /// What was mended, before the findings were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<Fixed>,
}

/// One fact, and what to think of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// What to think of it.
    pub severity: Severity,
    /// What it is about: a service, a file, `localhost`…
    pub subject: String,
    /// The fact in words, to be read behind the subject, without a full stop.
    pub message: String,
    /// Where it is: `FILE:LINE`, `FILE:LINE:COLUMN` or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What to do about it, in words; nothing that is fine has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<String>,
    /// A command that does it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Whether `portway doctor --fix` mends it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixable: bool,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The user's preferences, of `config.toml` and the environment; a finding only when they
    /// cannot be used.
    Preferences,
    /// `portway.toml`, or what was found in its place.
    Manifest,
    /// The registry can be used.
    Registry,
    /// `.ports.json` is there, can be read, is true, and is this checkout's.
    PortsFile,
    /// Whether the services of the checkout run at all.
    Running,
    /// A service listens on its port, and nobody else does.
    Listening,
    /// A service answers over HTTP.
    Answer,
    /// A backend lets the pages of a frontend call it.
    Cors,
    /// Where a frontend's development server passes requests on to.
    Proxy,
    /// The local CA, for HTTPS by names; a finding only when there is one that cannot be used.
    LocalCa,
    /// Local URLs in `.env` files.
    EnvFile,
    /// Leases and processes without an owner.
    Lease,
    /// What the name `localhost` means here.
    Localhost,
    /// The clock agrees with what was recorded.
    Clock,
    /// Room on the disks.
    Disk,
    /// What the system allows this user's processes.
    Limits,
}

/// What to think of a fact.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is as it should be.
    Fine,
    /// It may be a reason for trouble, or become one.
    Warning,
    /// It is wrong.
    Error,
}

/// Something that was mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fixed {
    /// What had been looked at.
    pub check: Check,
    /// What it was about.
    pub subject: String,
    /// What was done, without a full stop.
    pub message: String,
}
