//! Changes of a project that `portway up` applies to a running instance.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A request to apply the changes of the project's files to a running instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// The services or groups to which the changes apply. An empty list selects all, and stops the
    /// services that the project no longer has.
    #[serde(default)]
    pub services: Vec<String>,
    /// Optional services to enable.
    #[serde(default)]
    pub with: Vec<String>,
    /// Optional services to disable.
    #[serde(default)]
    pub without: Vec<String>,
    /// Required ports, by service or `SERVICE.NAME`.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// The value of `--moved`, which overrides the preference of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
    /// Whether only the plan of the changes is requested.
    #[serde(default)]
    pub dry_run: bool,
}

/// What `portway up` does to the services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangePlan {
    /// Whether the instance is running.
    pub running: bool,
    /// The actions, in start order; services that stop come last.
    pub changes: Vec<ServiceChange>,
}

impl ChangePlan {
    /// Returns the names of the services with one of these actions.
    pub fn with_action(&self, actions: &[ChangeAction]) -> Vec<String> {
        let changes = self.changes.iter();
        changes
            .filter(|change| actions.contains(&change.action))
            .map(|change| change.service.clone())
            .collect()
    }
}

/// What happens to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceChange {
    /// The service's name.
    pub service: String,
    /// The action.
    pub action: ChangeAction,
    /// Why: `new`, `not running`, `removed`, or what differs, such as `command`, `ports` or
    /// `environment: API_URL`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// An action of `portway up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    /// The service starts.
    Start,
    /// The service restarts.
    Restart,
    /// The service stops, because it was removed.
    Stop,
    /// The service keeps running.
    Keep,
}

/// The variables of a running instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceEnvironment {
    /// The variables that all services share.
    pub shared: Vec<(String, String)>,
    /// The variables of each service.
    pub services: BTreeMap<String, Vec<(String, String)>>,
}
