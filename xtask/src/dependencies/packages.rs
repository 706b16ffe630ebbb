//! The part of `cargo metadata` that the checks of dependencies use.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::{cargo_program, root};

/// A package of the dependency graph.
#[derive(Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// The SPDX expression.
    pub(super) license: Option<String>,
    /// Where it comes from. `None` for a path, as in this workspace.
    pub(super) source: Option<String>,
    pub(super) directory: PathBuf,
    /// The names by which its code refers to its dependencies.
    pub(super) dependencies: Vec<String>,
    /// Dependencies that may be unused, from `package.metadata.cargo-machete.ignored`.
    pub(super) ignored: Vec<String>,
}

impl Package {
    /// Whether it belongs to this workspace.
    pub(super) fn is_own(&self) -> bool {
        self.source.is_none()
    }
}

/// Read all packages, for all targets and features.
pub(super) fn read() -> Result<Vec<Package>, String> {
    let output = Command::new(cargo_program())
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cannot run `cargo metadata`: {error}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`cargo metadata` failed: {message}"));
    }
    let value: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cannot read the output of `cargo metadata`: {error}"))?;
    let packages = value["packages"].as_array().into_iter().flatten();
    Ok(packages.map(package).collect())
}

fn package(value: &Value) -> Package {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let manifest = value["manifest_path"].as_str().unwrap_or_default();
    let dependencies = value["dependencies"].as_array().into_iter().flatten();
    let ignored = &value["metadata"]["cargo-machete"]["ignored"];
    Package {
        name: text(&value["name"]).unwrap_or_default(),
        version: text(&value["version"]).unwrap_or_default(),
        license: text(&value["license"]),
        source: text(&value["source"]),
        directory: Path::new(manifest).parent().unwrap_or(Path::new("")).into(),
        dependencies: dependencies
            .filter_map(|dependency| {
                let rename = text(&dependency["rename"]);
                rename.or_else(|| text(&dependency["name"]))
            })
            .collect(),
        ignored: ignored
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(text)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_a_package() {
        let package = package(&json!({
            "name": "a", "version": "1.0.0", "license": "MIT", "source": "registry+x",
            "manifest_path": "/w/a/Cargo.toml",
            "dependencies": [{"name": "b-c", "rename": null}, {"name": "d", "rename": "e"}],
            "metadata": {"cargo-machete": {"ignored": ["e"]}},
        }));
        assert_eq!(package.license.as_deref(), Some("MIT"));
        assert_eq!(package.directory, PathBuf::from("/w/a"));
        assert_eq!(package.dependencies, ["b-c", "e"]);
        assert_eq!(package.ignored, ["e"]);
        assert!(!package.is_own());
    }
}
