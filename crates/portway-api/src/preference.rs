//! Preferences as programs see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a value comes from; the strongest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PreferenceSource {
    /// A flag of this command.
    Flag,
    /// An environment variable.
    Environment,
    /// `[preferences]` of the project's `portway.toml`.
    Project,
    /// The user's `config.toml`.
    User,
    /// Nobody said otherwise.
    Default,
}

/// A preference and the value that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Preference {
    /// Its name, such as `logs.size`.
    pub key: String,
    /// The value; a size is in bytes. `null` where there is none.
    pub value: Value,
    /// The value as people write it; missing where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where the value comes from; the strongest of the layers where they add up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PreferenceSource>,
    /// `FILE:LINE:COLUMN`, a variable or a flag; missing for a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// A preference with every layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedPreference {
    /// The preference.
    #[serde(flatten)]
    pub preference: Preference,
    /// What it decides.
    pub about: String,
    /// Every layer, the strongest first, also those that say nothing.
    pub layers: Vec<PreferenceLayer>,
}

/// What one layer says about a preference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PreferenceLayer {
    /// The layer.
    pub source: PreferenceSource,
    /// Where it says so, or where it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Its value; `null` where it says nothing.
    pub value: Value,
    /// The value as people write it; missing where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether it counts.
    pub counts: bool,
}
