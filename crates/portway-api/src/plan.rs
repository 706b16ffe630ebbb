//! The services of a project, before anything is started.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A project's services, from its manifest or as detected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectPlan {
    /// The project's name.
    pub project: String,
    /// The project's root directory.
    pub directory: String,
    /// The manifest's path; missing when the services were detected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The services, including optional ones, in display order.
    pub services: Vec<ServicePlan>,
    /// The network that the checkout gets for itself; missing if it requests none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<IsolationPlan>,
    /// Files that detection could not use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedFile>,
    /// Packages, Dockerfiles and other manifests from which detection made no service, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<SkippedFile>,
    /// What this machine lacks for some of the services, and what to do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A network for one checkout, before it is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IsolationPlan {
    /// Why the checkout gets it, if neither the user nor the project requests it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why this machine cannot create it; empty if it can. The services then use the network of the
    /// machine, each with ports of its own.
    pub obstacles: Vec<Obstacle>,
}

/// Why this machine cannot do something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Obstacle {
    /// The cause.
    pub cause: String,
    /// What removes it: a command or a sentence.
    pub help: String,
}

/// A service before it is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServicePlan {
    /// The service's name.
    pub name: String,
    /// The framework, such as `vite`; only for detected services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// The service's directory, relative to the project root; empty for the root.
    pub dir: String,
    /// The command, with its placeholders.
    pub command: String,
    /// The command of the prepare step, which runs before the service starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepare: Option<String>,
    /// The kind of service: `http`, `frontend`, `redis`…
    pub kind: String,
    /// The requested ports, the main port first.
    pub ports: Vec<PortPreference>,
    /// The services that start before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Whether the service is started only on request.
    #[serde(default)]
    pub optional: bool,
    /// The database that must have no tables, or else the command does not run: a service or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_if_empty: Option<String>,
    /// Why Portway detected the service and chose its command, one sentence each; only for detected
    /// services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// The variables that Portway sets because the application's own files name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<VariablePlan>,
    /// The variables of an example file, such as `.env.example`, that still need a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingVariable>,
}

/// A variable of a service that the application's own files name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VariablePlan {
    /// Its name.
    pub name: String,
    /// Its value, with placeholders for ports.
    pub value: String,
    /// The file that names it, relative to the project root.
    pub file: String,
    /// The line in that file, counted from 1; 0 if it is not known.
    pub line: usize,
    /// What the ports in that file stand for, such as "8000 is `api`"; empty if the value is the file's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meaning: Vec<String>,
}

/// A variable of a service, with where its value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where the value comes from: `Portway`, or a file and line and what its ports stand for.
    pub source: String,
}

/// A variable that needs a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingVariable {
    /// Its name.
    pub name: String,
    /// The example file that names it, relative to the project root.
    pub file: String,
    /// The line in that file, counted from 1.
    pub line: usize,
}

/// A port that a service requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortPreference {
    /// The port's name within the service; missing for the only or main port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The preferred port.
    pub prefer: u16,
    /// The range from which Portway chooses another port, such as `9000-9099`.
    pub range: String,
}

/// A file that detection could not use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedFile {
    /// The file, relative to the project root.
    pub file: String,
    /// Why the file cannot be used, as text that follows the file's name.
    pub why: String,
}
