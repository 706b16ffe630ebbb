//! Cargo tools that the project uses, installed into `target/tools` in fixed versions.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{cargo_program, root, run};

/// A tool from the crate registry.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// Further arguments of `cargo install`.
    pub(crate) options: &'static [&'static str],
}

impl Tool {
    /// Return the path of the program; install it first if this version is missing.
    pub(crate) fn ensure(&self) -> Result<PathBuf, String> {
        let Self {
            name,
            version,
            options,
        } = self;
        let installed = fs::read_to_string(directory().join(".crates.toml")).unwrap_or_default();
        if !is_listed(&installed, name, version) || !self.path().is_file() {
            println!("== installing {name} {version} into target/tools");
            run(Command::new(cargo_program())
                .args(["install", "--quiet", "--locked", "--version", version])
                .args(*options)
                .arg("--root")
                .arg(directory())
                .arg(name)
                .env_remove("CARGO_TARGET_DIR"))?;
        }
        Ok(self.path())
    }

    /// Where the program is, or will be.
    pub(crate) fn path(&self) -> PathBuf {
        directory().join("bin").join(self.name)
    }
}

/// The root directory of `cargo install`.
fn directory() -> PathBuf {
    root().join("target/tools")
}

/// Whether cargo's list of installed programs, `.crates.toml`, contains a version of a tool.
fn is_listed(list: &str, name: &str, version: &str) -> bool {
    let start = format!("\"{name} {version} (");
    list.lines().any(|line| line.starts_with(&start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_installed_version() {
        let list = "[v1]\n\"mdbook 0.5.4 (registry+x)\" = [\"mdbook\"]\n";
        assert!(is_listed(list, "mdbook", "0.5.4"));
        assert!(!is_listed(list, "mdbook", "0.5"));
        assert!(!is_listed(list, "book", "0.5.4"));
        assert!(!is_listed("", "mdbook", "0.5.4"));
    }
}
