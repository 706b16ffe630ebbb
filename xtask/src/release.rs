//! `cargo xtask release`: check that a version can be released, and make everything that the owner publishes.
//!
//! Publishes nothing itself.

mod changelog;
mod places;
mod plan;
mod sbom;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{output, root};
use crate::package::{self, HOMEPAGE, MAINTAINER, VERSION, cannot, sha256};

const USAGE: &str = "\
Check a release, and make everything that is published

usage: cargo xtask release --dry-run [OPTION…]
       cargo xtask release --check TAG

options:
  --dry-run     check the version, then write the packages, the changes, a list of components (SBOM), checksums,
                and what to publish in which order, into `target/packages`; takes the options of
                `cargo xtask package`, except `--build-only`
  --check TAG   fail if anything in the repository speaks against a release of this tag
";

/// The list of all checksums.
const SUMS: &str = "SHA256SUMS";

/// Run the task.
pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    match arguments {
        ["--check", tag] => check(tag),
        ["--dry-run", rest @ ..] if !rest.contains(&"--build-only") => dry_run(rest),
        _ => Err(USAGE.to_owned()),
    }
}

/// Fails on everything that speaks against a release.
fn check(tag: &str) -> Result<(), String> {
    let mut open = open_points()?;
    if tag != format!("v{VERSION}") {
        open.push(format!(
            "the tag `{tag}` is not `v{VERSION}`, the version in Cargo.toml"
        ));
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(format!("{tag} cannot be released:\n{}", list(&open))),
    }
}

fn dry_run(arguments: &[&str]) -> Result<(), String> {
    let mut open = open_points()?;
    let (out, mut files) = package::build(arguments)?;
    let notes = out.join("CHANGES.md");
    write(&notes, &changelog::notes()?)?;
    files.push(notes);
    files.push(sbom::write(&out)?);
    files.push(write_sums(&files, &out)?);
    let plan = plan::Plan::new(&files, &out)?;
    open.extend(plan.missing_platforms());
    let text = plan.text(&open);
    write(&out.join("PUBLISH.md"), &text)?;
    println!("{text}");
    Ok(())
}

/// What must be done before the version can be released. Returns an error for what must never be.
fn open_points() -> Result<Vec<String>, String> {
    places::check()?;
    let mut open = changelog::missing()?;
    for (what, value) in [("repository", HOMEPAGE), ("authors", MAINTAINER)] {
        if value.contains("example.org") {
            open.push(format!(
                "`{what}` in Cargo.toml is still a placeholder: {value}"
            ));
        }
    }
    let changes = output(
        Command::new("git")
            .args(["status", "--porcelain"])
            .current_dir(root()),
    )?;
    if !changes.trim().is_empty() {
        open.push("there are changes that are not committed".to_owned());
    }
    Ok(open)
}

/// Writes the checksums of all files, as `sha256sum --check` reads them.
fn write_sums(files: &[PathBuf], out: &Path) -> Result<PathBuf, String> {
    let mut lines = Vec::new();
    for file in files {
        let bytes = fs::read(file).map_err(|error| cannot("read", file, &error))?;
        let name = file.strip_prefix(out).unwrap_or(file);
        lines.push(format!("{}  {}\n", sha256(&bytes), name.display()));
    }
    let file = out.join(SUMS);
    write(&file, &lines.concat())?;
    Ok(file)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| cannot("write", path, &error))
}

fn list(lines: &[String]) -> String {
    let lines = lines.iter().map(|line| format!("- {line}\n"));
    lines.collect()
}
