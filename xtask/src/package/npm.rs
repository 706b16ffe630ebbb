//! The npm packages: `portway` with the launcher, and one package with the binary of each platform.
//!
//! `portway` names the others as optional dependencies, of which each package manager installs the one for
//! its machine. No package runs a script on installation.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::platforms::Platform;
use super::{
    Built, DESCRIPTION, Output, VERSION, archive, cannot, copy, copy_licenses, write as write_file,
};
use crate::command::root;

/// The files of the package `portway`.
const SOURCE: &str = "packaging/npm/portway";

/// The launcher in the package `portway`.
const LAUNCHER: &str = "bin/portway.js";

/// Writes all npm packages, and returns their files.
pub(super) fn write(built: &[Built<'_>], output: &Output<'_>) -> Result<Vec<PathBuf>, String> {
    let stage = output.stage;
    let platforms: Vec<&Platform> = built.iter().map(|one| one.platform).collect();
    let main = stage.join("npm/main/package");
    let source = root().join(SOURCE);
    copy(&source.join(LAUNCHER), &main.join(LAUNCHER), 0o755)?;
    for library in [source.clone(), source.join("lib")] {
        copy_library(
            &library,
            &main.join(library.strip_prefix(&source).unwrap_or(&library)),
        )?;
    }
    write_json(&main.join("bin/platforms.json"), &launcher_list(&platforms))?;
    copy(&root().join("README.md"), &main.join("README.md"), 0o644)?;
    let mut packages = vec![pack(&main, &main_manifest(&platforms)?, output)?];
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

/// Copies the modules of a directory and their types.
fn copy_library(from: &Path, to: &Path) -> Result<(), String> {
    let entries = fs::read_dir(from).map_err(|error| cannot("read", from, &error))?;
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let is_module = |name: &str| name.ends_with(".js") || name.ends_with(".d.ts");
        if name.to_str().is_some_and(is_module) {
            copy(&entry.path(), &to.join(&name), 0o644)?;
        }
    }
    Ok(())
}

/// The manifest of the package that users install: the one of [`SOURCE`], with the version and the packages
/// of the platforms.
fn main_manifest(platforms: &[&Platform]) -> Result<Value, String> {
    let path = root().join(SOURCE).join("package.json");
    let text = fs::read_to_string(&path).map_err(|error| cannot("read", &path, &error))?;
    let own: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let dependencies: Map<String, Value> = platforms
        .iter()
        .map(|platform| (platform.npm.package.clone(), VERSION.into()))
        .collect();
    let mut manifest = Map::from_iter([
        ("name".to_owned(), "portway".into()),
        ("version".to_owned(), VERSION.into()),
        ("description".to_owned(), DESCRIPTION.into()),
        ("license".to_owned(), "MIT OR Apache-2.0".into()),
    ]);
    manifest.extend(own);
    manifest.insert("optionalDependencies".to_owned(), dependencies.into());
    Ok(manifest.into())
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
        let main = main_manifest(&[linux]).unwrap();
        assert_eq!(main["bin"], json!({ "portway": LAUNCHER }));
        assert_eq!(
            main["optionalDependencies"],
            json!({ "@portway/linux-x64": VERSION })
        );
        assert_eq!(main.get("scripts"), None);
        assert_eq!(main.get("dependencies"), None);
    }

    #[test]
    fn every_export_is_a_file() {
        let main = main_manifest(&[]).unwrap();
        for (name, targets) in main["exports"].as_object().unwrap() {
            let Some(targets) = targets.as_object() else {
                continue;
            };
            for target in targets.values() {
                let file = root().join(SOURCE).join(target.as_str().unwrap());
                assert!(file.is_file(), "{name}: {}", file.display());
            }
        }
    }
}
