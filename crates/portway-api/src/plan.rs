//! What a project consists of, before anything is started.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A project as its manifest tells it, or as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectPlan {
    /// The project's name.
    pub project: String,
    /// Its root.
    pub directory: String,
    /// The manifest; `None` when there is none and the services were found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Its services, optional ones included, in the order in which they are shown.
    pub services: Vec<ServicePlan>,
    /// Files that would have told something and could not be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedFile>,
}

/// One service before it is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServicePlan {
    /// Its name.
    pub name: String,
    /// What it is made with, such as `vite`; only of one that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// Its directory relative to the project's; empty for the root.
    pub dir: String,
    /// The command, with its placeholders.
    pub command: String,
    /// What is run first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepare: Option<String>,
    /// What it speaks: `http`, `frontend`, `redis`…
    pub kind: String,
    /// The ports that it would like to have, the main one first.
    pub ports: Vec<PortWish>,
    /// The services that it comes after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Whether it takes part only when asked for.
    #[serde(default)]
    pub optional: bool,
    /// Why it is believed to be there and to be started like this, one sentence each; only of one
    /// that was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// A port that a service would like to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortWish {
    /// The name within the service; `None` for the only or main port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The preferred port.
    pub prefer: u16,
    /// The range to look in otherwise, such as `9000-9099`.
    pub range: String,
}

/// A file that was met during detection and could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedFile {
    /// The file, relative to the root.
    pub file: String,
    /// What is wrong with it, as the end of a sentence.
    pub why: String,
}
