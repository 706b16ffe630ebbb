//! Settings of the manifest that belong to no service.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the project as a whole.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// The project's name. Default: the name of its directory.
    pub name: Option<String>,
}

/// Settings of linked git worktrees.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Worktree {
    /// Files that git ignores and that `portway up` copies from the main checkout if a worktree lacks them,
    /// as patterns relative to the project's root: `[".env", "api/*.pem"]`. A file `.worktreeinclude` in the
    /// root of the repository has the same effect.
    #[serde(default)]
    pub copy: Vec<String>,
}
