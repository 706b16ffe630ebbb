//! All places that contain the version of Portway have the same one, that of `Cargo.toml`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::command::{cargo, output, root};
use crate::package::{VERSION, cannot};

/// Fails if a place has another version.
pub(super) fn check() -> Result<(), String> {
    let mut wrong = crates()?;
    let list = output(Command::new("git").arg("ls-files").current_dir(root()))?;
    for path in list.lines() {
        let read = || {
            let file = root().join(path);
            fs::read_to_string(&file).map_err(|error| cannot("read", &file, &error))
        };
        if is_manifest(path) {
            let version = in_manifest(&read()?);
            wrong.extend(version.map(|version| (path.to_owned(), version)));
        } else if is_document(path) {
            let versions = in_document(&read()?);
            let places = versions
                .into_iter()
                .map(|version| (path.to_owned(), version));
            wrong.extend(places);
        }
    }
    wrong.retain(|(_, version)| version != VERSION);
    let lines = wrong
        .iter()
        .map(|(path, version)| format!("\n- {path}: {version}"));
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "Cargo.toml has the version {VERSION}, and these places have another one:{}",
            lines.collect::<String>()
        )),
    }
}

/// The versions of the crates. `--locked` compares them with Cargo.lock.
fn crates() -> Result<Vec<(String, String)>, String> {
    let arguments = "metadata --format-version 1 --no-deps --locked --offline";
    let metadata = output(cargo(arguments).current_dir(root()))?;
    let metadata: Value = serde_json::from_str(&metadata)
        .map_err(|error| format!("cannot read the output of `cargo metadata`: {error}"))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    Ok(packages
        .map(|package| (text(&package["manifest_path"]), text(&package["version"])))
        .collect())
}

/// Whether a file is the manifest of an extension, which stores publish with its version.
fn is_manifest(path: &str) -> bool {
    let name = Path::new(path).file_name().unwrap_or_default();
    path.starts_with("integrations/") && (name == "manifest.json" || name == "package.json")
}

fn in_manifest(text: &str) -> Option<String> {
    let manifest: Value = serde_json::from_str(text).unwrap_or_default();
    manifest["version"].as_str().map(str::to_owned)
}

/// Whether a file may name packages. The changelog names old ones.
fn is_document(path: &str) -> bool {
    path.ends_with(".md") && path != "CHANGELOG.md"
}

/// The versions in names of packages, such as `portway-0.1.0.tgz` and `portway@0.1.0`.
fn in_document(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_@:.".contains(c);
    text.split(move |c| !is_name(c))
        .filter(|word| word.starts_with("portway"))
        .filter_map(version_in)
        .collect()
}

/// The first `NUMBER.NUMBER.NUMBER` that follows a separator.
fn version_in(word: &str) -> Option<String> {
    word.split(['-', '_', '@', ':']).find_map(|part| {
        let mut numbers = part.split('.');
        let first = [numbers.next()?, numbers.next()?, numbers.next()?];
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        first.iter().all(is_number).then(|| first.join("."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_versions_in_names_of_packages() {
        let text = "Run `npm install portway-linux-x64-0.1.0.tgz portway-0.2.0.tgz`, \
                    `portway_0.3.0-1_amd64.deb`, portway:0.4.0 and portway@0.5.0; portway-VERSION, portway 1.2.3, \
                    node-20.1.0, http://127.0.0.1";
        assert_eq!(
            in_document(text),
            ["0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0"]
        );
    }

    #[test]
    fn reads_the_version_of_a_manifest() {
        let version = in_manifest(r#"{"version": "1.0.0"}"#);
        assert_eq!(version.as_deref(), Some("1.0.0"));
        assert_eq!(in_manifest(r#"{"private": true}"#), None);
    }

    #[test]
    fn all_places_agree() {
        check().unwrap();
    }
}
