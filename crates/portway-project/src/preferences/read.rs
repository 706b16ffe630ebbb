//! Reading a layer: a file, a table of the manifest, the environment, a flag.

use std::borrow::Cow;
use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use portway_api::PreferenceSource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use super::keys::{self, KEYS, Key, Place};
use super::tree::Node;
use super::value::{Value, Wrong};
use super::{Setting, keys::written};
use crate::diagnostic::{Diagnostic, Problem};

/// The table `[preferences]` of a manifest, as it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(pub(crate) Node);

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Node::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Table {
    fn schema_name() -> Cow<'static, str> {
        "Preferences".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::try_from(keys::project_schema()).unwrap_or_default()
    }
}

impl Table {
    /// What it sets. `file` and `text` are the manifest's.
    ///
    /// # Errors
    /// When a key is unknown or the user's own, and when a value cannot be.
    pub fn settings(&self, file: &Path, text: &str) -> Result<Vec<Setting>, Diagnostic> {
        if !matches!(self.0, Node::Table(_)) {
            let what = format!("`preferences` is a table, and not {}", self.0.describe());
            return Err(Diagnostic::new(file, text, Problem::at(0..0, what)));
        }
        settings(&self.0, PreferenceSource::Project, file, text)
    }
}

/// What the text of a user's `config.toml` sets; `file` is where it stands.
///
/// # Errors
/// When it is not TOML, a key is unknown or a value cannot be.
pub fn from_text(file: &Path, text: &str) -> Result<Vec<Setting>, Diagnostic> {
    let root: Node = toml::from_str(text)
        .map_err(|error| Diagnostic::new(file, text, Problem::from_toml(&error)))?;
    settings(&root, PreferenceSource::User, file, text)
}

fn settings(
    root: &Node,
    source: PreferenceSource,
    file: &Path,
    text: &str,
) -> Result<Vec<Setting>, Diagnostic> {
    let mut found = Vec::new();
    walk(root, source, &mut Vec::new(), &mut found)
        .map_err(|problem| Diagnostic::new(file, text, problem))?;
    let settings = found.into_iter().map(|(key, path, value, span)| Setting {
        key,
        path,
        value,
        source,
        place: Diagnostic::new(file, text, Problem::at(span, "")).location(),
    });
    Ok(settings.collect())
}

type Found = (&'static Key, Vec<String>, Value, Range<usize>);

fn walk(
    node: &Node,
    source: PreferenceSource,
    path: &mut Vec<String>,
    found: &mut Vec<Found>,
) -> Result<(), Problem> {
    let Node::Table(entries) = node else {
        return Ok(());
    };
    for (name, value) in entries {
        path.push(name.get_ref().clone());
        match (keys::find(path), value.get_ref()) {
            (Place::Unknown, _) => {
                let message = format!("unknown key `{}`", name.get_ref());
                return Err(Problem::at(name.span(), message).help(keys::suggest(path)));
            }
            (Place::Key(key), _) if source == PreferenceSource::Project && !key.in_project => {
                return Err(for_users_only(path, name.span()));
            }
            (Place::Key(key), leaf) => {
                let value_read = key
                    .form
                    .read(leaf)
                    .map_err(|wrong| wrong.at(value.span()))?;
                found.push((key, path.clone(), value_read, value.span()));
            }
            (Place::Table, table @ Node::Table(_)) => walk(table, source, path, found)?,
            (Place::Table, other) => {
                let name = written(path);
                let message = format!("`{name}` is a table, and not {}", other.describe());
                return Err(Problem::at(value.span(), message).help(keys::suggest(path)));
            }
        }
        path.pop();
    }
    Ok(())
}

fn for_users_only(path: &[String], span: Range<usize>) -> Problem {
    let name = written(path);
    Problem::at(span, format!("`{name}` is each user's own choice")).help(format!(
        "take it out, and set it with `portway config set {name} VALUE`"
    ))
}

/// A variable that holds what it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongVariable {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// What the environment sets. An empty variable counts as none, and so does one that is no
/// preference's, such as those that Portway itself tells its services.
///
/// # Errors
/// When a variable has a value that cannot be.
pub fn from_environment(
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<Setting>, WrongVariable> {
    let mut found = Vec::new();
    for key in &KEYS {
        for one in key.variables {
            let Some(held) = variable(one.name).filter(|held| !held.is_empty()) else {
                continue;
            };
            let value = match (one.means, held.to_str()) {
                (Some(word), _) => key.form.read_text(word),
                (None, Some(text)) => key.form.read_text(text),
                (None, None) => Err(Wrong {
                    message: "it is not UTF-8".into(),
                    help: format!("write {}", key.form),
                }),
            };
            let value = value.map_err(|wrong| WrongVariable {
                variable: one.name,
                message: wrong.message,
                help: wrong.help,
            })?;
            found.push(Setting {
                key,
                path: key.name.split('.').map(str::to_owned).collect(),
                value,
                source: PreferenceSource::Environment,
                place: one.name.into(),
            });
        }
    }
    Ok(found)
}

/// What a flag sets. `None` for a value that it cannot have, or a key without a flag.
pub fn from_flag(name: &str, text: &str) -> Option<Setting> {
    let key = KEYS.iter().find(|key| key.name == name)?;
    Some(Setting {
        key,
        path: key.name.split('.').map(str::to_owned).collect(),
        value: key.form.read_text(text).ok()?,
        source: PreferenceSource::Flag,
        place: key.flag?.into(),
    })
}

/// The key that a person names on the command line.
///
/// # Errors
/// What is wrong with it, and what it may have been meant for.
pub fn parse_key(text: &str) -> Result<(&'static Key, Vec<String>), (String, String)> {
    let unknown = |path: &[String]| {
        let message = format!("there is no preference `{text}`");
        (message, keys::suggest(path))
    };
    let parts = toml_edit::Key::parse(text).map_err(|_| unknown(&[text.to_owned()]))?;
    let path: Vec<String> = parts.iter().map(|part| part.get().to_owned()).collect();
    match keys::find(&path) {
        Place::Key(key) => Ok((key, path)),
        Place::Table => Err((
            format!("`{text}` is a group of preferences"),
            keys::suggest(&path),
        )),
        Place::Unknown => Err(unknown(&path)),
    }
}
