//! The npm packages: `portway` with the launcher, and one package with the binary of each platform.
//!
//! `portway` names the others as optional dependencies, of which each package manager installs the one for
//! its machine. No package runs a script on installation.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::platforms::Platform;
use super::{
    Built, DESCRIPTION, Output, VERSION, archive, copy, copy_licenses, write as write_file,
};
use crate::command::root;

/// The launcher in the package `portway`.
const LAUNCHER: &str = "bin/portway.js";

/// Writes all npm packages, and returns their files.
pub(super) fn write(built: &[Built<'_>], output: &Output<'_>) -> Result<Vec<PathBuf>, String> {
    let stage = output.stage;
    let platforms: Vec<&Platform> = built.iter().map(|one| one.platform).collect();
    let main = stage.join("npm/main/package");
    let launcher = root().join("packaging/npm/portway").join(LAUNCHER);
    copy(&launcher, &main.join(LAUNCHER), 0o755)?;
    write_json(&main.join("bin/platforms.json"), &launcher_list(&platforms))?;
    copy(&root().join("README.md"), &main.join("README.md"), 0o644)?;
    let mut packages = vec![pack(&main, &main_manifest(&platforms), output)?];
    for one in built {
        let dir = stage.join("npm").join(&one.platform.target).join("package");
        copy(&one.binary, &dir.join(&one.platform.binary), 0o755)?;
        packages.push(pack(&dir, &platform_manifest(one.platform), output)?);
    }
    Ok(packages)
}

/// Adds the manifest and the licenses to a directory with the name `package`, and packs it.
fn pack(dir: &Path, manifest: &Value, output: &Output<'_>) -> Result<PathBuf, String> {
    write_json(&dir.join("package.json"), manifest)?;
    copy_licenses(dir)?;
    let name = manifest["name"].as_str().unwrap_or_default();
    let file = output.out.join(file_name(name));
    let parent = dir.parent().unwrap_or(dir);
    archive::tar_gz(parent, "package", &file, output.level)?;
    Ok(file)
}

/// The file of a package, named as by `npm pack`.
fn file_name(package: &str) -> String {
    let name = package.trim_start_matches('@').replace('/', "-");
    format!("{name}-{VERSION}.tgz")
}

/// The manifest of the package that users install.
fn main_manifest(platforms: &[&Platform]) -> Value {
    let dependencies: Map<String, Value> = platforms
        .iter()
        .map(|platform| (platform.npm.package.clone(), VERSION.into()))
        .collect();
    json!({
        "name": "portway",
        "version": VERSION,
        "description": DESCRIPTION,
        "license": "MIT OR Apache-2.0",
        "bin": { "portway": LAUNCHER },
        "engines": { "node": ">=18" },
        "optionalDependencies": dependencies,
    })
}

/// The manifest of a package that contains only a binary.
fn platform_manifest(platform: &Platform) -> Value {
    let npm = &platform.npm;
    let mut manifest = json!({
        "name": npm.package,
        "version": VERSION,
        "description": format!("The binary of Portway for {} {}", npm.os, npm.cpu),
        "license": "MIT OR Apache-2.0",
        "os": [npm.os],
        "cpu": [npm.cpu],
        // Yarn otherwise leaves the files in an archive, from which no program can run.
        "preferUnplugged": true,
    });
    // A package for every C library must not name them: package managers do not install it where they
    // cannot find out which one the machine has.
    if let [libc] = &npm.libc[..] {
        manifest["libc"] = json!([libc]);
    }
    manifest
}

/// What the launcher needs to find the binary.
fn launcher_list(platforms: &[&Platform]) -> Value {
    platforms
        .iter()
        .map(|platform| {
            let npm = &platform.npm;
            json!({
                "os": npm.os, "cpu": npm.cpu, "package": npm.package, "binary": platform.binary,
            })
        })
        .collect()
}

fn write_json(path: &Path, value: &Value) -> Result<(), String> {
    write_file(path, format!("{value:#}\n").as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::super::platforms;
    use super::*;

    #[test]
    fn names_files_like_npm() {
        assert_eq!(file_name("portway"), format!("portway-{VERSION}.tgz"));
        let scoped = format!("portway-linux-x64-{VERSION}.tgz");
        assert_eq!(file_name("@portway/linux-x64"), scoped);
    }

    #[test]
    fn package_managers_choose_by_platform() {
        let list = platforms::read().unwrap();
        let linux = platforms::find(&list, platforms::DEFAULT).unwrap();
        let manifest = platform_manifest(linux);
        assert_eq!(manifest["os"], json!(["linux"]));
        assert_eq!(manifest["cpu"], json!(["x64"]));
        // The static binary runs with each of them.
        assert_eq!(manifest.get("libc"), None);
        assert_eq!(manifest.get("scripts"), None);
        let main = main_manifest(&[linux]);
        assert_eq!(
            main["optionalDependencies"],
            json!({ "@portway/linux-x64": VERSION })
        );
        assert_eq!(main.get("scripts"), None);
    }
}
