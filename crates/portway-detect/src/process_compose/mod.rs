//! `process-compose.yaml`: processes, their order, their probes.
//!
//! What it says is said again in the words of a manifest. Where that cannot be, the evidence names
//! what was left out. Nothing here was run against process-compose; it follows its documentation.

mod model;
mod probe;
mod service;

use serde_json::{Map, Value};

pub(super) use self::model::depends_on;
pub use self::model::{Process, Project};
use super::yaml::YamlError;
use super::{Dir, Found, Surroundings, yaml};

/// Files in which processes are, the first that there is. Of a compose file only `processes` is
/// for this reader.
const FILES: [&str; 4] = [
    "process-compose.yaml",
    "process-compose.yml",
    "compose.yaml",
    "compose.yml",
];

/// Reads the text of a file of processes.
///
/// # Errors
/// When it is not YAML that can be used, or `processes` is no mapping.
pub fn parse(text: &str) -> Result<Project, YamlError> {
    Project::new(yaml::parse(text)?)
}

/// The services of the root's file of processes.
pub(super) fn read(root: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    for file in FILES {
        let Some(mut value) = root.yaml(file) else {
            continue;
        };
        if file.starts_with("compose") && value.get("processes").is_none() {
            continue;
        }
        let (stem, extension) = file.rsplit_once('.').unwrap_or((file, "yaml"));
        let over = format!("{stem}.override.{extension}");
        if let Some(over) = root.yaml(&over) {
            merge(&mut value, over);
        }
        match Project::new(value) {
            Ok(project) => return service::services(root, file, &project, surroundings),
            Err(error) => root.skip(file, format!("has no processes that can be used: {error}")),
        }
    }
    Vec::new()
}

/// Puts what an override says over a file: mappings key by key, lists one behind the other,
/// anything else in its place.
pub(super) fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge_key(base, key, value);
            }
        }
        (Value::Array(base), Value::Array(over)) => base.extend(over),
        (base, over) => *base = over,
    }
}

fn merge_key(base: &mut Map<String, Value>, key: String, value: Value) {
    match base.get_mut(&key) {
        Some(own) => merge(own, value),
        None => {
            base.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests;
