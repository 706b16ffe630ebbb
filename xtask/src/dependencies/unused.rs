//! Dependencies that are declared and not used.
//!
//! A dependency counts as used if its name occurs as an identifier in any Rust file of the package,
//! for any platform. A dependency that is used in another way must be listed under
//! `package.metadata.cargo-machete.ignored`.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};
use toml::Table;

use super::packages::Package;
use crate::command::root;

/// Describe every unused dependency of this workspace's packages, and of the workspace itself.
pub(super) fn violations(packages: &[Package]) -> Result<Vec<String>, String> {
    let mut violations = Vec::new();
    let mut used = BTreeSet::new();
    for package in packages.iter().filter(|package| package.is_own()) {
        let mut identifiers = BTreeSet::new();
        read_directory(&package.directory, &mut identifiers)?;
        for name in unused(package, &identifiers) {
            violations.push(format!("`{}` does not use `{name}`", package.name));
        }
        used.extend(package.dependencies.iter().cloned());
    }
    let path = root().join("Cargo.toml");
    let manifest = read(&path)?;
    for name in unused_in_workspace(&manifest, &used)? {
        violations.push(format!("no crate uses `{name}` of the workspace"));
    }
    Ok(violations)
}

/// The dependencies of a package whose names are not among the identifiers of its code.
fn unused<'a>(package: &'a Package, identifiers: &BTreeSet<String>) -> BTreeSet<&'a str> {
    let is_used = |name: &str| identifiers.contains(&name.replace('-', "_"));
    let names = package.dependencies.iter();
    names
        .filter(|name| !is_used(name) && !package.ignored.contains(*name))
        .map(String::as_str)
        .collect()
}

/// The names under `workspace.dependencies` that no package has as a dependency.
fn unused_in_workspace(manifest: &str, used: &BTreeSet<String>) -> Result<Vec<String>, String> {
    let table: Table = manifest
        .parse()
        .map_err(|error| format!("cannot parse `Cargo.toml`: {error}"))?;
    let names = table
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies")?.as_table())
        .into_iter()
        .flat_map(Table::keys);
    Ok(names
        .filter(|name| !used.contains(*name))
        .cloned()
        .collect())
}

/// Add the identifiers of all Rust files below a directory.
fn read_directory(directory: &Path, identifiers: &mut BTreeSet<String>) -> Result<(), String> {
    let entries = std::fs::read_dir(directory)
        .map_err(|error| format!("cannot read `{}`: {error}", directory.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            // A directory with a manifest is another package, or a build's output.
            let is_other = path.join("Cargo.toml").exists() || path.join("CACHEDIR.TAG").exists();
            if !is_other {
                read_directory(&path, identifiers)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let tokens = TokenStream::from_str(&read(&path)?)
                .map_err(|error| format!("cannot parse `{}`: {error}", path.display()))?;
            collect(tokens, identifiers);
        }
    }
    Ok(())
}

fn collect(tokens: TokenStream, identifiers: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(identifier) => {
                identifiers.insert(identifier.to_string());
            }
            TokenTree::Group(group) => collect(group.stream(), identifiers),
            // The path in `#[serde(with = "x::y")]`, or the code of a documentation test.
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                let mut starts: Vec<&str> = text.split("::").collect();
                starts.pop();
                let is_separator = |letter: char| letter != '_' && !letter.is_alphanumeric();
                let words = starts
                    .iter()
                    .filter_map(|start| start.rsplit(is_separator).next());
                identifiers.extend(words.map(str::to_owned));
            }
            TokenTree::Punct(_) => {}
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifiers(text: &str) -> BTreeSet<String> {
        let mut identifiers = BTreeSet::new();
        collect(TokenStream::from_str(text).unwrap(), &mut identifiers);
        identifiers
    }

    #[test]
    fn finds_dependencies_without_an_identifier() {
        let names = ["used-one", "in-attribute", "unused", "ignored"];
        let package = Package {
            dependencies: names.map(str::to_owned).to_vec(),
            ignored: vec!["ignored".to_owned()],
            ..Package::default()
        };
        let code = "use used_one::X; #[serde(with = \"in_attribute::y\")] struct S;\n\
                    /// Explains unused\nconst A: &str = \"unused\"; // unused";
        assert_eq!(
            unused(&package, &identifiers(code)),
            BTreeSet::from(["unused"])
        );
    }

    #[test]
    fn finds_workspace_dependencies_that_no_package_has() {
        let manifest = "[workspace.dependencies]\na = \"1\"\nb = { version = \"2\" }\n";
        let used = BTreeSet::from(["a".to_owned()]);
        assert_eq!(unused_in_workspace(manifest, &used).unwrap(), ["b"]);
    }
}
