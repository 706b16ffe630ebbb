//! A database of its own for each linked worktree, made from a template.
//!
//! Input: the databases that a manifest declares, and the variables that services get. Output: the name
//! of each database and variables that refer to it. Nothing here connects to a server.

mod address;
mod assign;
mod empty;
mod name;
mod statement;
mod step;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use address::{DatabaseAddress, Engine, Server};
pub use assign::{AssignedDatabase, Assignment, DatabaseProblem, Values, assign, sqlite_paths};
pub use empty::{EmptyDatabase, refers_elsewhere};
pub use name::database_name;
pub use statement::{literal, quoted};
pub use step::add_step;

/// The variable with the address of a database, unless the manifest names another.
pub const DEFAULT_VARIABLE: &str = "DATABASE_URL";

/// A database that a service uses.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseSetup {
    /// The name of the template; for SQLite, its file.
    pub template: String,
    /// The address of the template, if the manifest has it. In a plan, with unexpanded placeholders.
    pub url: Option<String>,
    /// The variables that the application reads.
    pub variables: Vec<String>,
}

// An address may contain a password.
impl fmt::Debug for DatabaseSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSetup")
            .field("template", &self.template)
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}

/// The databases of a worktree, as the step that creates them receives them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseToCreate {
    /// The kind of server.
    pub engine: Engine,
    /// The name of the template; for SQLite, the path of its file.
    pub template: String,
    /// The name of the database to create; for SQLite, the path of its file.
    pub name: String,
    /// An address on the server with the user and the password; empty for SQLite.
    pub url: String,
}

/// Returns whether a template is a file of SQLite: a path, or a name with an extension of SQLite.
pub fn is_file(template: &str) -> bool {
    let lower = template.to_ascii_lowercase();
    template.contains(['/', '\\'])
        || [".db", ".db3", ".sqlite", ".sqlite3"]
            .iter()
            .any(|extension| lower.ends_with(extension))
}
