//! `process-compose.yaml`: processes, their start order and their probes.
//!
//! Converts the file to the keys of a manifest. The evidence names everything that has no
//! equivalent. Follows process-compose's documentation; not tested against process-compose itself.

mod model;
mod mprocs;
mod port;
mod probe;
mod service;

use serde_json::{Map, Value};

pub(super) use self::model::depends_on;
pub use self::model::{Process, Project};
use super::yaml::YamlError;
use super::{DetectContext, DetectedService, Dir, yaml};

/// File names; the first that exists is read. Of a compose file, only `processes` is used.
const FILES: [&str; 4] = [
    "process-compose.yaml",
    "process-compose.yml",
    "compose.yaml",
    "compose.yml",
];

/// The file that describes processes.
struct Source<'s> {
    file: &'s str,
    /// The tool that reads it.
    framework: &'static str,
}

/// Parses the text of a process-compose file.
///
/// # Errors
/// If it is not usable YAML, or if `processes` is not a mapping.
pub fn parse(text: &str) -> Result<Project, YamlError> {
    Project::new(yaml::parse(text)?)
}

/// Detects the services of the process-compose file in the root.
pub(super) fn read(root: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
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
        let source = Source {
            file,
            framework: "process-compose",
        };
        match Project::new(value) {
            Ok(project) => return service::services(root, &source, &project, context),
            Err(error) => root.skip(file, format!("has no usable processes: {error}")),
        }
    }
    mprocs::read(root, context)
}

/// Merges an override file: mappings by key, lists by appending, other values by replacing.
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
