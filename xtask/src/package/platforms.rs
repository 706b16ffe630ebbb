//! The list of platforms, `packaging/platforms.json`.

use std::fs;

use serde::Deserialize;

use super::cannot;
use crate::command::root;

/// The target that is packed if none is requested.
pub(super) const DEFAULT: &str = "x86_64-unknown-linux-gnu";

/// A platform that has packages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Platform {
    /// The Rust target.
    pub(super) target: String,
    /// Whether the binary needs no library of the machine.
    #[serde(rename = "static")]
    pub(super) is_static: bool,
    /// The name of the binary in each package.
    pub(super) binary: String,
    pub(super) npm: NpmPlatform,
    /// The platform tags of the wheel.
    pub(super) wheel: Vec<String>,
    /// The format of the archive.
    pub(super) archive: ArchiveFormat,
}

/// A platform in the terms of npm.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NpmPlatform {
    /// The package that contains the binary.
    pub(super) package: String,
    pub(super) os: String,
    pub(super) cpu: String,
    /// The C libraries of Linux; empty elsewhere.
    pub(super) libc: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum ArchiveFormat {
    #[serde(rename = "tar.gz")]
    TarGz,
    #[serde(rename = "zip")]
    Zip,
}

/// Reads the list.
pub(super) fn read() -> Result<Vec<Platform>, String> {
    let path = root().join("packaging/platforms.json");
    let text = fs::read_to_string(&path).map_err(|error| cannot("read", &path, &error))?;
    serde_json::from_str(&text).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// Returns the platform of a target.
pub(super) fn find<'a>(list: &'a [Platform], target: &str) -> Result<&'a Platform, String> {
    let found = list.iter().find(|platform| platform.target == target);
    found.ok_or_else(|| {
        let known: Vec<&str> = list.iter().map(|p| p.target.as_str()).collect();
        format!(
            "`{target}` is not in `packaging/platforms.json`, which has {}",
            known.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_differ() {
        let list = read().unwrap();
        for (index, one) in list.iter().enumerate() {
            for other in &list[index + 1..] {
                assert_ne!(one.target, other.target);
                assert_ne!(one.npm.package, other.npm.package);
                assert!(one.wheel.iter().all(|tag| !other.wheel.contains(tag)));
            }
            // A binary that needs a C library cannot be for two of them.
            assert!(one.is_static || one.npm.libc.len() <= 1, "{one:?}");
        }
        assert!(find(&list, DEFAULT).unwrap().is_static);
        assert!(find(&list, "mips").unwrap_err().contains(DEFAULT));
    }
}
