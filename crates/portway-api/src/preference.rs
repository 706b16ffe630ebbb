//! Preferences and where their values come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The source of a preference's value, in descending order of precedence.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PreferenceSource {
    /// A command-line flag.
    Flag,
    /// An environment variable.
    Environment,
    /// The table `[preferences]` of the project's `portway.toml`.
    Project,
    /// The user's `config.toml`.
    User,
    /// The built-in default.
    Default,
}

/// A preference and its effective value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Preference {
    /// The key, such as `logs.size`.
    pub key: String,
    /// The effective value; `null` when the preference is not set. Sizes are in bytes.
    pub value: Value,
    /// The value as a person writes it; missing when the preference is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The source of the value. When several layers are combined, the one with the highest
    /// precedence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PreferenceSource>,
    /// The location of the value: `FILE:LINE:COLUMN`, a variable or a flag; missing for a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

/// A preference with its value in every layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedPreference {
    /// The preference.
    #[serde(flatten)]
    pub preference: Preference,
    /// What the preference controls.
    pub about: String,
    /// All layers, in descending order of precedence, including those without a value.
    pub layers: Vec<PreferenceLayer>,
}

/// A preference's value in one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PreferenceLayer {
    /// The layer.
    pub source: PreferenceSource,
    /// The location of the value, or the location where it can be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The layer's value; `null` when the layer does not set it.
    pub value: Value,
    /// The value as a person writes it; missing when the layer does not set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether this layer determines the effective value.
    pub counts: bool,
}
