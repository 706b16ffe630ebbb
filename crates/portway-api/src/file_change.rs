//! Changes of files that belong to the user.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens, or happened, to a file of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileAction {
    /// It did not exist.
    Create,
    /// Portway's part is added or updated.
    Change,
    /// It is as it should be.
    Keep,
    /// Portway's part is removed. If nothing has changed since, the file is as it was before.
    Restore,
    /// It contained only Portway's part.
    Delete,
    /// It is left as it is; the reason says why.
    Skip,
}

/// A file of the user that a command changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileChange {
    /// The name with which a command selects it.
    pub name: String,
    /// Its path.
    pub path: String,
    /// What happens to it.
    pub action: FileAction,
    /// Why it is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its text before; missing if it does not exist.
    #[serde(skip)]
    pub before: Option<String>,
    /// Its text after; missing if it does not exist.
    #[serde(skip)]
    pub after: Option<String>,
}
