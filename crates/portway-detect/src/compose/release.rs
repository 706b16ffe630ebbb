//! Recognizes the images that a project itself releases.

use super::images::last_component;
use crate::Dir;

/// Returns whether an image has the name of the project in `dir`.
pub(super) fn is_own(dir: &Dir<'_>, image: &str) -> bool {
    own_names(dir)
        .iter()
        .any(|name| name == last_component(image))
}

/// Returns the names of the project in `dir`: of the directory and of its packages.
fn own_names(dir: &Dir<'_>) -> Vec<String> {
    let package = dir
        .has("package.json")
        .then(|| dir.json("package.json"))
        .flatten();
    let package = package.as_ref().and_then(|file| file.get("name")?.as_str());
    let project = dir
        .has("pyproject.toml")
        .then(|| dir.toml("pyproject.toml"))
        .flatten();
    let project = project
        .as_ref()
        .and_then(|file| file.get("project")?.get("name")?.as_str());
    let crate_ = dir
        .has("Cargo.toml")
        .then(|| dir.toml("Cargo.toml"))
        .flatten();
    let crate_ = crate_
        .as_ref()
        .and_then(|file| file.get("package")?.get("name")?.as_str());
    // `@scope/name`
    let package = package.map(|name| name.rsplit('/').next().unwrap_or(name));
    let names = [package, project, crate_].into_iter().flatten();
    let names = names.map(str::to_lowercase);
    names.chain(dir.real_name()).collect()
}
