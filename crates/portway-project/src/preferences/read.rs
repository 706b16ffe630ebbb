//! Reads one layer: a file, a table of the manifest, the environment or a flag.

use std::borrow::Cow;
use std::ffi::OsString;
use std::ops::Range;
use std::path::Path;

use portway_api::PreferenceSource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use super::keys::{self, KEYS, Key};
use super::lookup::{self, Lookup, format_path};
use super::tree::Node;
use super::value::{PreferenceError, Value};
use crate::diagnostic::{Diagnostic, Problem};

/// One value of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// The parts of the key's name, with those that the user chose.
    pub path: Vec<String>,
    /// The value.
    pub value: Value,
    /// The layer.
    pub source: PreferenceSource,
    /// Where the value is set: `FILE:LINE:COLUMN`, a variable or a flag; empty for a default.
    pub location: String,
}

/// The table `[preferences]` of a manifest, not yet checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(Node);

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
    /// The settings in the table. `file` and `text` are those of the manifest.
    ///
    /// # Errors
    /// When a key is unknown or only for users, or a value is invalid.
    pub fn settings(&self, file: &Path, text: &str) -> Result<Vec<Setting>, Diagnostic> {
        if !matches!(self.0, Node::Table(_)) {
            let message = format!("`preferences` must be a table, not {}", self.0.describe());
            return Err(Diagnostic::new(file, text, Problem::at(0..0, message)));
        }
        settings(&self.0, PreferenceSource::Project, file, text)
    }
}

/// Parses the text of a user's `config.toml`. `file` is its path, for errors.
///
/// # Errors
/// When the text is not TOML, a key is unknown or a value is invalid.
pub fn from_text(file: &Path, text: &str) -> Result<Vec<Setting>, Diagnostic> {
    let root: Node = toml::from_str(text)
        .map_err(|error| Diagnostic::new(file, text, Problem::from_toml(&error, |_, _| None)))?;
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
    let settings = found.into_iter().map(|found| Setting {
        key: found.key,
        path: found.path,
        value: found.value,
        source,
        location: Diagnostic::new(file, text, Problem::at(found.span, "")).location(),
    });
    Ok(settings.collect())
}

/// A setting before its position is known.
struct FoundSetting {
    key: &'static Key,
    path: Vec<String>,
    value: Value,
    span: Range<usize>,
}

fn walk(
    node: &Node,
    source: PreferenceSource,
    path: &mut Vec<String>,
    found: &mut Vec<FoundSetting>,
) -> Result<(), Problem> {
    let Node::Table(entries) = node else {
        return Ok(());
    };
    for (name, value) in entries {
        path.push(name.get_ref().clone());
        match (lookup::find(path), value.get_ref()) {
            (Lookup::Unknown, _) => {
                let message = format!("unknown key `{}`", name.get_ref());
                return Err(Problem::at(name.span(), message).help(lookup::suggest(path)));
            }
            (Lookup::Key(key), _) if source == PreferenceSource::Project && !key.in_project => {
                return Err(for_users_only(path, name.span()));
            }
            (Lookup::Key(key), leaf) => {
                let canonical = key.canonical(path);
                if found.iter().any(|other| other.path == canonical) {
                    let message = format!("`{}` is set twice", format_path(&canonical));
                    return Err(Problem::at(name.span(), message).help("remove one of them"));
                }
                found.push(FoundSetting {
                    key,
                    path: canonical,
                    value: key
                        .value_type
                        .read(leaf)
                        .map_err(|error| error.at(value.span()))?,
                    span: value.span(),
                });
            }
            (Lookup::Table, table @ Node::Table(_)) => walk(table, source, path, found)?,
            (Lookup::Table, other) => {
                let name = format_path(path);
                let message = format!("`{name}` must be a table, not {}", other.describe());
                return Err(Problem::at(value.span(), message).help(lookup::suggest(path)));
            }
        }
        path.pop();
    }
    Ok(())
}

fn for_users_only(path: &[String], span: Range<usize>) -> Problem {
    let name = format_path(path);
    Problem::at(
        span,
        format!("`{name}` is a preference of the user and cannot be set in `portway.toml`"),
    )
    .help(format!(
        "remove it, and run `portway config set {name} VALUE`"
    ))
}

/// An environment variable with an invalid value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the variable `{variable}` is invalid: {source}")]
pub struct InvalidVariable {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub source: PreferenceError,
}

/// Reads the preferences in the environment. An empty variable counts as not set. Variables that
/// are not in [`KEYS`], such as those that Portway passes to services, are ignored.
///
/// # Errors
/// When a variable has an invalid value.
pub fn from_environment(
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<Setting>, InvalidVariable> {
    let mut found = Vec::new();
    for key in &KEYS {
        for one in key.variables {
            let Some(content) = variable(one.name).filter(|content| !content.is_empty()) else {
                continue;
            };
            let value = match (one.fixed_value, content.to_str()) {
                (Some(value), _) => key.value_type.parse(value),
                (None, Some(text)) => key.value_type.parse(text),
                (None, None) => Err(PreferenceError::new(
                    "it is not UTF-8",
                    format!("write {}", key.value_type),
                )),
            };
            let value = value.map_err(|source| InvalidVariable {
                variable: one.name,
                source,
            })?;
            found.push(Setting {
                key,
                path: key.path(),
                value,
                source: PreferenceSource::Environment,
                location: one.name.into(),
            });
        }
    }
    Ok(found)
}

/// The setting of a flag. `None` if the value is invalid or the key has no flag.
pub fn from_flag(name: &str, text: &str) -> Option<Setting> {
    let key = KEYS.iter().find(|key| key.name == name)?;
    Some(Setting {
        key,
        path: key.path(),
        value: key.value_type.parse(text).ok()?,
        source: PreferenceSource::Flag,
        location: key.flag?.into(),
    })
}

/// Parses the name of a preference from the command line. Returns the key and its path.
///
/// # Errors
/// When there is no such preference.
pub fn parse_key(text: &str) -> Result<(&'static Key, Vec<String>), PreferenceError> {
    let unknown = |path: &[String]| {
        PreferenceError::new(
            format!("there is no preference `{text}`"),
            lookup::suggest(path),
        )
    };
    let parts = toml_edit::Key::parse(text).map_err(|_| unknown(&[text.to_owned()]))?;
    let path: Vec<String> = parts.iter().map(|part| part.get().to_owned()).collect();
    match lookup::find(&path) {
        Lookup::Key(key) => Ok((key, key.canonical(&path))),
        Lookup::Table => Err(PreferenceError::new(
            format!("`{text}` is a group of preferences"),
            lookup::suggest(&path),
        )),
        Lookup::Unknown => Err(unknown(&path)),
    }
}
