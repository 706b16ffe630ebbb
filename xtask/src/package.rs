//! `cargo xtask package`: put the same binary into the package of each package manager.
//!
//! Input: `packaging/platforms.json`, the only list of platforms, and the templates beside it. Output:
//! `target/packages/`, with the same bytes for the same input. Publishes nothing and needs no network.

mod archive;
mod binary;
mod deb;
mod documents;
mod files;
mod homebrew;
mod image;
mod installers;
mod nix;
mod npm;
mod options;
mod platforms;
mod template;
mod wheel;
mod windows;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::documents::Documents;
pub(crate) use self::files::{cannot, copy, sha256};
use self::files::{copy_licenses, write};
use self::platforms::Platform;
use crate::command::{cargo, root, run as run_command};
use crate::python::LIBRARIES;

/// The version of all packages, which is the version of the workspace.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the packages say about Portway.
const DESCRIPTION: &str =
    "Give every service of every checkout its own port, and start and supervise the services";

/// The same in fewer than 80 characters, the limit of some package managers.
const SUMMARY: &str = "Give every service of every checkout its own port";

/// The repository in `Cargo.toml`.
pub(crate) const HOMEPAGE: &str = env!("CARGO_PKG_REPOSITORY");

/// The first author in `Cargo.toml`.
pub(crate) const MAINTAINER: &str = env!("CARGO_PKG_AUTHORS");

/// The time of each file in each package, as in the packages of npm: 1985-10-26.
const TIME: &str = "499162500";

/// A binary and the platform that it is for.
struct Built<'a> {
    platform: &'a Platform,
    binary: PathBuf,
}

/// An archive as users download it.
struct Download<'a> {
    platform: &'a Platform,
    url: String,
    sha256: String,
}

/// Where the packages are written, and the files in several of them.
struct Output<'a> {
    /// For the directories that are packed. Removed at the end.
    stage: &'a Path,
    out: &'a Path,
    documents: Documents,
    level: Level,
}

/// How well the packages are compressed.
#[derive(Clone, Copy)]
enum Level {
    Best,
    /// For tests: several times faster.
    Fast,
}

impl Level {
    /// The number that gzip, xz and zip use.
    fn number(self) -> &'static str {
        match self {
            Self::Best => "9",
            Self::Fast => "1",
        }
    }
}

/// Build or check each binary, then write all packages.
pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    if arguments == ["--test"] {
        return test();
    }
    for package in build(arguments)?.1 {
        println!("{}", package.display());
    }
    Ok(())
}

/// Builds what the arguments request. Returns the directory, and the files in it.
pub(crate) fn build(arguments: &[&str]) -> Result<(PathBuf, Vec<PathBuf>), String> {
    let options = options::parse(arguments)?;
    let list = platforms::read()?;
    let mut built = Vec::new();
    for (target, binary) in options.targets {
        let platform = platforms::find(&list, &target)?;
        let binary = match binary {
            Some(given) => absolute(&given)?,
            None => {
                let binary = binary::build(platform)?;
                binary::check(platform, &binary)?;
                binary
            }
        };
        if !binary.is_file() {
            return Err(format!("`{}` is not a file", binary.display()));
        }
        built.push(Built { platform, binary });
    }
    if let (Some(to), [one]) = (options.build_only, &built[..]) {
        copy(&one.binary, &to, 0o755)?;
        return Ok((to.parent().unwrap_or(&to).to_owned(), vec![to]));
    }
    let out = absolute(&options.out.unwrap_or_else(|| target_dir().join("packages")))?;
    let url = options.url.unwrap_or_else(release_url);
    let native = built.iter().find(|one| one.platform.is_native());
    let documents = documents::make(native.map(|one| &*one.binary), &out.join("documents"))?;
    let files = write_packages(&built, &list, &url, documents, Level::Best, &out)?;
    Ok((out, files))
}

/// The targets that have packages.
pub(crate) fn targets() -> Result<Vec<String>, String> {
    let list = platforms::read()?;
    Ok(list.into_iter().map(|platform| platform.target).collect())
}

/// Where the files of this version are downloaded from.
fn release_url() -> String {
    format!("{HOMEPAGE}/releases/download/v{VERSION}")
}

/// Test the packages, with the debug binary in them, in all package managers and under both kinds of Node.
pub(crate) fn test() -> Result<(), String> {
    let list = platforms::read()?;
    let platform = platforms::find(&list, platforms::DEFAULT)?;
    // With the features of the whole workspace, as in the other tests, so that nothing is compiled twice.
    run_command(&mut cargo("build --quiet --workspace --bin portway"))?;
    let temporary = target_dir().join("tmp/packages");
    let (binary, packages) = (temporary.join("portway"), temporary.join("files"));
    fs::create_dir_all(&temporary).map_err(|error| cannot("create", &temporary, &error))?;
    // Without its debug information, the binary is half as large.
    run_command(
        Command::new("strip")
            .arg("-o")
            .args([&binary, &target_dir().join("debug/portway")]),
    )?;
    let documents = documents::make(Some(&binary), &temporary.join("documents"))?;
    let built = [Built { platform, binary }];
    let url = release_url();
    write_packages(&built, &list, &url, documents, Level::Fast, &packages)?;
    run_command(
        Command::new("npm")
            .args(["test", "--prefix"])
            .arg(root().join("tests/packages"))
            .env("PORTWAY_PACKAGES", packages)
            .env("PORTWAY_VERSION", VERSION)
            .env("PORTWAY_TEST_PYTHON", LIBRARIES.ensure()?)
            .env("PORTWAY_TEST_TMP", temporary.join("sandboxes"))
            .env("npm_config_update_notifier", "false"),
    )
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    std::path::absolute(path).map_err(|error| cannot("use", path, &error))
}

/// Writes all packages of the built platforms into a directory, and returns their files.
fn write_packages(
    built: &[Built<'_>],
    list: &[Platform],
    url: &str,
    documents: Documents,
    level: Level,
    out: &Path,
) -> Result<Vec<PathBuf>, String> {
    let stage = out.join("stage");
    for dir in [out, &stage] {
        fs::create_dir_all(dir).map_err(|error| cannot("create", dir, &error))?;
    }
    let output = Output {
        stage: &stage,
        out,
        documents,
        level,
    };
    let packages = write_all(built, list, url, &output);
    fs::remove_dir_all(&stage).map_err(|error| cannot("remove", &stage, &error))?;
    packages
}

fn write_all(
    built: &[Built<'_>],
    list: &[Platform],
    url: &str,
    output: &Output<'_>,
) -> Result<Vec<PathBuf>, String> {
    let mut packages = npm::write(built, output)?;
    let mut downloads = Vec::new();
    for one in built {
        packages.push(wheel::write(one, output)?);
        let (archive, sum) = archive::write_release(one, output)?;
        downloads.push(Download {
            platform: one.platform,
            url: format!("{url}/{}", one.platform.archive_file()),
            sha256: sha256(&files::read(&archive)?),
        });
        packages.extend([archive, sum]);
        packages.extend(deb::write_package(one, output)?);
        packages.extend(image::write_image(one, output)?);
    }
    packages.extend(installers::write_installers(list, url, output)?);
    packages.extend(homebrew::write_formula(
        &downloads,
        &output.documents,
        output.out,
    )?);
    packages.extend(nix::write_flake(&downloads, output.out)?);
    packages.extend(windows::write_manifests(&downloads, output.out)?);
    Ok(packages)
}

/// An archive of each platform, as other modules expect them.
#[cfg(test)]
fn example_downloads(list: &[Platform]) -> Vec<Download<'_>> {
    let downloads = list.iter().map(|platform| Download {
        platform,
        url: format!("https://host/{}", platform.archive_file()),
        sha256: sha256(platform.target.as_bytes()),
    });
    downloads.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_binary_gives_the_same_packages() {
        let list = platforms::read().unwrap();
        let dir = target_dir().join(format!("tmp/same-packages-{}", std::process::id()));
        let binary = dir.join("given");
        let [first, second] = ["a", "b"].map(|name| {
            let all = list.iter().map(|platform| Built {
                platform,
                binary: binary.clone(),
            });
            // Neither the mode of the given file nor its time matters.
            let mode = if name == "a" { 0o600 } else { 0o640 };
            write(&binary, b"#!/bin/sh\n", mode).unwrap();
            let (all, out) = (all.collect::<Vec<_>>(), dir.join(name));
            let documents = documents::examples();
            let url = "https://host/files";
            let files = write_packages(&all, &list, url, documents, Level::Best, &out).unwrap();
            let content = files.iter().map(|file| {
                let name = file.strip_prefix(&out).unwrap().to_owned();
                (name, fs::read(file).unwrap())
            });
            content.collect::<Vec<_>>()
        });
        fs::remove_dir_all(&dir).unwrap();
        let names: BTreeSet<_> = first.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), first.len());
        for ((name, one), (_, other)) in first.iter().zip(&second) {
            assert!(one == other, "{}", name.display());
        }
        // For each platform: npm, wheel, archive, checksum.
        assert!(first.len() > 4 * list.len());
    }
}
