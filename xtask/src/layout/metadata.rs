//! The part of `cargo metadata` that the layout checks use.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::command::root;

/// A workspace member.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) targets: Vec<Target>,
    /// The fields of [`FIELDS`] that it does not have.
    pub(super) missing_fields: Vec<&'static str>,
}

/// The metadata that a package registry shows.
const FIELDS: [&str; 6] = [
    "description",
    "keywords",
    "categories",
    "license",
    "readme",
    "repository",
];

/// A dependency on another workspace member or on a published crate.
#[derive(Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// Whether only tests, examples and benchmarks use it.
    pub(super) is_dev: bool,
}

/// A library, program, test or example of a package.
#[derive(Debug)]
pub(super) struct Target {
    /// The file of its root module.
    pub(super) source: PathBuf,
}

/// Read the workspace members.
pub(super) fn read() -> Result<Vec<Package>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cannot run `cargo metadata`: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`cargo metadata` failed: {reason}"));
    }
    let value: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cannot read the output of `cargo metadata`: {error}"))?;
    parse(&value).ok_or_else(|| "`cargo metadata` printed an unknown format".into())
}

/// Convert the output of `cargo metadata`. `None` if a field is missing.
fn parse(value: &Value) -> Option<Vec<Package>> {
    value["packages"].as_array()?.iter().map(package).collect()
}

fn package(value: &Value) -> Option<Package> {
    let dependencies = value["dependencies"].as_array()?.iter().map(|dependency| {
        Some(Dependency {
            name: dependency["name"].as_str()?.to_owned(),
            is_dev: dependency["kind"] == "dev",
        })
    });
    let targets = value["targets"].as_array()?.iter().map(|target| {
        Some(Target {
            source: target["src_path"].as_str()?.into(),
        })
    });
    Some(Package {
        name: value["name"].as_str()?.to_owned(),
        dependencies: dependencies.collect::<Option<_>>()?,
        targets: targets.collect::<Option<_>>()?,
        missing_fields: FIELDS
            .into_iter()
            .filter(|field| is_empty(&value[*field]))
            .collect(),
    })
}

/// Whether a field is missing, or a list without entries.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_names_kinds_and_root_files() {
        let value = json!({"packages": [{
            "name": "a",
            "dependencies": [
                {"name": "b", "kind": null, "path": "/w/b"},
                {"name": "c", "kind": "dev"},
            ],
            "targets": [{"name": "a", "kind": ["lib"], "src_path": "/w/a/src/lib.rs"}],
            "description": "A", "keywords": [], "categories": ["os"], "license": "MIT", "readme": null,
        }]});
        let packages = parse(&value).unwrap();
        assert_eq!(packages[0].name, "a");
        assert_eq!(
            packages[0].missing_fields,
            ["keywords", "readme", "repository"]
        );
        let dependencies: Vec<_> = packages[0]
            .dependencies
            .iter()
            .map(|dependency| (dependency.name.as_str(), dependency.is_dev))
            .collect();
        assert_eq!(dependencies, [("b", false), ("c", true)]);
        assert_eq!(
            packages[0].targets[0].source,
            PathBuf::from("/w/a/src/lib.rs")
        );
    }

    #[test]
    fn rejects_an_unknown_format() {
        assert!(parse(&json!({"packages": [{"name": "a"}]})).is_none());
    }
}
