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
    /// What `uname -s` and `uname -m` print, where a shell installs the archive.
    #[serde(default)]
    pub(super) uname: Vec<String>,
    /// The architecture in the terms of Debian.
    pub(super) deb: Option<String>,
    /// The architecture of a container image of Linux.
    pub(super) image: Option<String>,
    /// The system in the terms of Nix.
    pub(super) nix: Option<String>,
    pub(super) homebrew: Option<HomebrewPlatform>,
    pub(super) windows: Option<WindowsPlatform>,
}

/// A platform in the terms of Homebrew: the words after `on_`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HomebrewPlatform {
    pub(super) os: String,
    pub(super) cpu: String,
}

/// The architecture in the terms of the package managers of Windows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowsPlatform {
    pub(super) scoop: String,
    pub(super) winget: String,
}

impl Platform {
    /// Whether its binary runs on this machine.
    pub(super) fn is_native(&self) -> bool {
        self.target.starts_with(std::env::consts::ARCH)
            && self.target.contains(std::env::consts::OS)
    }

    /// The only directory in the archive, and the start of the archive's name.
    pub(super) fn archive_directory(&self) -> String {
        format!("portway-{}-{}", super::VERSION, self.target)
    }

    /// The file name of the archive.
    pub(super) fn archive_file(&self) -> String {
        let extension = match self.archive {
            ArchiveFormat::TarGz => "tar.gz",
            ArchiveFormat::Zip => "zip",
        };
        format!("{}.{extension}", self.archive_directory())
    }
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
    use super::super::{HOMEPAGE, VERSION};
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

    /// `cargo binstall` finds each archive, and the binary in it, by the templates in the crate's manifest.
    #[test]
    fn binstall_finds_the_archives() {
        let text = fs::read_to_string(root().join("crates/portway/Cargo.toml")).unwrap();
        let manifest: toml::Table = toml::from_str(&text).unwrap();
        let settings = &manifest["package"]["metadata"]["binstall"];
        let overrides = settings["overrides"].as_table().unwrap();
        let expand = |target: &str, name: &str| {
            let own = overrides.get(target).and_then(|table| table.get(name));
            let text = own.unwrap_or_else(|| &settings[name]).as_str().unwrap();
            let extension = if target.contains("windows") {
                ".exe"
            } else {
                ""
            };
            text.replace("{ repo }", HOMEPAGE)
                .replace("{ version }", VERSION)
                .replace("{ target }", target)
                .replace("{ bin }", "portway")
                .replace("{ binary-ext }", extension)
        };
        for platform in read().unwrap() {
            // A static binary is for musl, too.
            let musl = platform.target.replace("-gnu", "-musl");
            let targets = match platform.is_static {
                true => vec![&platform.target, &musl],
                false => vec![&platform.target],
            };
            for target in targets {
                let url = format!(
                    "{}/{}",
                    super::super::release_url(),
                    platform.archive_file()
                );
                assert_eq!(expand(target, "pkg-url"), url);
                let file = format!("{}/{}", platform.archive_directory(), platform.binary);
                assert_eq!(expand(target, "bin-dir"), file);
            }
            let format = match platform.archive {
                ArchiveFormat::TarGz => "tgz",
                ArchiveFormat::Zip => "zip",
            };
            assert_eq!(expand(&platform.target, "pkg-fmt"), format);
        }
    }
}
