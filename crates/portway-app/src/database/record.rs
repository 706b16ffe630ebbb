//! The databases that Portway created for an instance: `databases.json` in the instance's directory, which
//! only the user can read. It contains no password.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use portway_api::ErrorCode;
use portway_project::database::{Engine, Server};
use portway_project::user_file;
use serde::{Deserialize, Serialize};

use crate::error::CommandError;

/// The databases of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The root of the project in the worktree.
    pub(crate) checkout: PathBuf,
    /// The root of the project in the main checkout, if there is one.
    pub(crate) main: Option<PathBuf>,
    /// The databases.
    pub(crate) databases: Vec<RecordedDatabase>,
}

/// One database that Portway created or was creating.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedDatabase {
    /// The kind of server.
    pub(crate) engine: Engine,
    /// The server's host and port; `None` for SQLite.
    pub(crate) server: Option<Server>,
    /// The user that created it; empty if the address named none.
    pub(crate) user: String,
    /// The template; for SQLite, the path of its file.
    pub(crate) template: String,
    /// Its name; for SQLite, the path of its file.
    pub(crate) name: String,
    /// How far its creation is.
    pub(crate) state: CreationState,
}

/// How far the creation of a database is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CreationState {
    /// The copy is being made under a temporary name, which no other program uses.
    Copying {
        /// That name.
        temporary: String,
    },
    /// The database exists under its own name and is not complete.
    Filling,
    /// It is complete.
    Created,
}

/// The record in an instance's directory.
pub(crate) fn path(instance_dir: &Path) -> PathBuf {
    instance_dir.join(portway_registry::DATABASES_FILE)
}

impl Record {
    /// Reads a record; `None` if it does not exist.
    ///
    /// # Errors
    /// When it cannot be read or is invalid. No database is created or dropped then.
    pub(crate) fn read(file: &Path) -> Result<Option<Self>, CommandError> {
        let text = match user_file::read_text(file) {
            Ok(text) => text,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(CommandError::file("read", file, error.into())),
        };
        let record = serde_json::from_str(&text).map_err(|error| {
            let message = format!("`{}` is not a record of databases", file.display());
            CommandError::new(ErrorCode::State, message)
                .caused_by(error)
                .location(file)
                .hint("repair the file; if you delete it, drop the databases of the checkout yourself")
        })?;
        Ok(Some(record))
    }

    /// Writes the record; removes it if it has no database.
    pub(crate) fn write(&self, file: &Path) -> Result<(), CommandError> {
        let failed = |error| CommandError::file("write", file, error);
        if self.databases.is_empty() {
            return match std::fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
                _ => Ok(()),
            };
        }
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        if let Some(dir) = file.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        portway_registry::replace_file(file, &text).map_err(failed)
    }

    /// Returns the name of the database that was made from a template on a server.
    pub(crate) fn name(&self, server: Option<&Server>, template: &str) -> Option<&str> {
        let is_it =
            |one: &&RecordedDatabase| one.server.as_ref() == server && one.template == template;
        let found = self.databases.iter().find(is_it);
        found.map(|one| one.name.as_str())
    }

    /// Returns the name, without its extension, of the file that was made from the template `stem` of
    /// SQLite.
    pub(crate) fn file_name(&self, stem: &str) -> Option<String> {
        let of = |path: &str| {
            let stem = Path::new(path).file_stem()?;
            Some(stem.to_string_lossy().into_owned())
        };
        let is_it = |one: &&RecordedDatabase| {
            one.engine == Engine::Sqlite && of(&one.template).as_deref() == Some(stem)
        };
        self.databases
            .iter()
            .find(is_it)
            .and_then(|one| of(&one.name))
    }

    /// Returns the entry of a database with this name, preferably on this server.
    pub(crate) fn find(&self, server: Option<&Server>, name: &str) -> Option<&RecordedDatabase> {
        let mut named: Vec<&RecordedDatabase> = self
            .databases
            .iter()
            .filter(|one| one.name == name)
            .collect();
        named.sort_by_key(|one| one.server.as_ref() != server);
        named.first().copied()
    }

    /// Adds or replaces the entry of a database.
    pub(crate) fn set(&mut self, entry: RecordedDatabase) {
        self.remove(entry.server.as_ref(), &entry.name);
        self.databases.push(entry);
    }

    /// Removes the entry of a database.
    pub(crate) fn remove(&mut self, server: Option<&Server>, name: &str) {
        self.databases
            .retain(|one| one.name != name || one.server.as_ref() != server);
    }
}
