//! `cargo xtask layout`: check the dependency rules of the workspace.
//!
//! - Crates form layers: a crate depends only on crates below it ([`layers`]).
//! - Shipped crates have the metadata that a package registry shows ([`layers`]).
//! - Files of a crate form no import cycle, except between a module and its own descendants
//!   ([`cycles`]).
//!
//! Input: `cargo metadata` and the source files. The check changes nothing.

mod cycles;
mod layers;
mod metadata;
mod paths;

use std::path::{Path, PathBuf};
use std::time::Instant;

use self::metadata::Target;
use crate::command::root;

/// Run all checks.
pub(crate) fn check() -> Result<(), String> {
    let started = Instant::now();
    let packages = metadata::read()?;
    let mut violations = layers::violations(&packages);
    let mut files = 0;
    for package in &packages {
        for target in &package.targets {
            let modules = read_modules(target)?;
            files += modules.len();
            for cycle in cycles::cycles(&modules) {
                violations.push(format!("crate `{}`: {cycle}", package.name));
            }
        }
    }
    report(&violations)?;
    println!(
        "{} crates and {files} files follow the dependency rules ({:.1} s)",
        packages.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn report(violations: &[String]) -> Result<(), String> {
    if violations.is_empty() {
        Ok(())
    } else {
        Err(violations.join("\n"))
    }
}

/// Parse the files of a target, starting at its root and following `mod` declarations.
/// Test-only modules are left out.
fn read_modules(target: &Target) -> Result<Vec<cycles::Module>, String> {
    let parent = target.source.parent().unwrap_or(Path::new(""));
    let mut pending = vec![(Vec::new(), target.source.clone(), parent.to_owned())];
    let mut modules = Vec::new();
    while let Some((path, file, directory)) = pending.pop() {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
        let source = paths::parse(&text, &path)
            .map_err(|error| format!("cannot parse `{}`: {error}", file.display()))?;
        for child in source.children {
            let inline: PathBuf = child.inline.iter().collect();
            let child_directory = directory.join(inline);
            let mut child_path = path.clone();
            child_path.extend(child.inline);
            child_path.push(child.name.clone());
            let (child_file, child_directory) = match child.file {
                Some(name) => {
                    let own = file.parent().unwrap_or(Path::new("")).join(name);
                    let beside = own.parent().unwrap_or(Path::new("")).to_owned();
                    (own, beside)
                }
                None => locate(&child_directory, &child.name),
            };
            pending.push((child_path, child_file, child_directory));
        }
        let shown = file.strip_prefix(root()).unwrap_or(&file);
        modules.push(cycles::Module {
            path,
            file: shown.display().to_string(),
            imports: source.imports,
        });
    }
    Ok(modules)
}

/// The file of a module declared without `#[path]`, and the directory of its own children.
fn locate(directory: &Path, name: &str) -> (PathBuf, PathBuf) {
    let children = directory.join(name);
    let nested = children.join("mod.rs");
    if nested.is_file() {
        (nested, children)
    } else {
        (directory.join(format!("{name}.rs")), children)
    }
}
