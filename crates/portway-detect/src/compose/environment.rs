//! The environment of a compose service, for code that runs outside its container.

use std::path::Path;

use indexmap::IndexMap;
use portway_project::dotenv;
use portway_project::mapping::{AppVariable, Origin, Place};
use serde_json::Value;

use super::examples::existing;
use super::resolve::place;
use super::{Dir, File, Service};
use crate::yaml::{scalar, strings};

/// Variables that Portway sets itself, or that mean something else in a container.
const LEFT_OUT: [&str; 6] = ["PORT", "HOST", "HOME", "PATH", "PWD", "USER"];

/// Directories of containers that this machine does not have, or uses for something else.
const CONTAINER_DIRS: [&str; 10] = [
    "/app",
    "/code",
    "/data",
    "/home",
    "/opt",
    "/root",
    "/srv",
    "/usr",
    "/var",
    "/workspace",
];

/// Returns the variables of `environment` and `env_file` of the service `name` in the compose file at
/// `path`, relative to `root`. Those of `environment` are last, because they take precedence.
///
/// Empty values and directories of the container are left out.
pub fn environment(root: &Path, path: &str, name: &str) -> Option<Vec<AppVariable>> {
    let records = crate::records::Records::default();
    let root = Dir::open(root, "", &records);
    let file = File::at(&root, path)?;
    let service = file.compose.services.get(name)?;
    let mut variables = variables(&file, service);
    variables.retain(|one| is_useful(&one.name, &one.value));
    Some(variables)
}

/// Returns the variables of `env_file` and `environment` of a service, in this order.
pub(super) fn variables(file: &File<'_>, service: &Service) -> Vec<AppVariable> {
    let dir = &file.dir;
    let mut variables = Vec::new();
    for env_file in &service.env_files {
        let path = existing(dir, env_file);
        let Some((place, name)) = path.and_then(|path| place(dir, &path)) else {
            continue;
        };
        let text = place.read(&name).unwrap_or_default();
        let (assignments, _) = dotenv::assignments(&text, &|_| None);
        variables.extend(assignments.into_iter().map(|one| AppVariable {
            name: one.name,
            value: one.value,
            place: Place {
                file: place.path_of(&name),
                line: one.line,
            },
            origin: Origin::Compose,
        }));
    }
    // Positions are lost when files are merged.
    let at = Place {
        file: dir.path_of(file.name()),
        line: 0,
    };
    variables.extend(service.environment.iter().map(|(name, value)| AppVariable {
        name: name.clone(),
        value: value.clone(),
        place: at.clone(),
        origin: Origin::Compose,
    }));
    variables
}

/// Parses `environment`: a mapping, or a list of `NAME=value`. A name without a value is left out: the
/// process inherits it.
pub(super) fn parse(value: &Value) -> IndexMap<String, String> {
    match value {
        Value::Object(map) => map
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), scalar(value)?)))
            .collect(),
        list => strings(list)
            .into_iter()
            .filter_map(|entry| {
                let (name, value) = entry.split_once('=')?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect(),
    }
}

/// Parses `env_file`: a path, or a list of paths or of mappings with a `path`.
pub(super) fn parse_files(value: &Value) -> Vec<String> {
    match value {
        Value::Array(entries) => {
            let path = |entry: &Value| scalar(entry).or_else(|| scalar(entry.get("path")?));
            entries.iter().filter_map(path).collect()
        }
        one => scalar(one).into_iter().collect(),
    }
}

/// Returns the paths of an `env_file` that may be missing: `{path: .env, required: false}`.
pub(super) fn optional_files(value: &Value) -> Vec<String> {
    let entries = value.as_array().into_iter().flatten();
    let is_optional =
        |entry: &&Value| entry.get("required").and_then(Value::as_bool) == Some(false);
    let paths = entries.filter(is_optional);
    paths
        .filter_map(|entry| scalar(entry.get("path")?))
        .collect()
}

/// Returns whether a variable of a container is of use outside it.
fn is_useful(name: &str, value: &str) -> bool {
    let is_in = |dir: &&str| {
        let below = value.strip_prefix(*dir);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
    };
    // Images are often built for production; the code runs as its development server.
    let is_production = name.ends_with("_ENV") && value.starts_with("prod");
    !value.is_empty()
        && !LEFT_OUT.contains(&name)
        && !CONTAINER_DIRS.iter().any(is_in)
        && !is_production
}
