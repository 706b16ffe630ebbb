//! Recognizes the images that a project itself releases.

use super::images::last_component;
use crate::Dir;

/// Minimum length of a name of a project with which the names of its images start.
const MIN_PREFIX: usize = 4;

/// Returns whether an image has the name of the project in `dir` or in a directory above it: `owner/shop`, and
/// with an owner also `owner/shop-backend`.
pub(super) fn is_own(dir: &Dir<'_>, image: &str) -> bool {
    let last = last_component(image).to_lowercase();
    let is_part = |name: &str| {
        let rest = last.strip_prefix(name);
        image.contains('/')
            && name.len() >= MIN_PREFIX
            && rest.is_some_and(|rest| rest.starts_with(['-', '_']))
    };
    let mut names = dir.upwards().flat_map(|dir| own_names(&dir));
    names.any(|name| name == last || is_part(&name))
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
    let module = dir
        .has("go.mod")
        .then(|| dir.read("go.mod"))
        .flatten()
        .and_then(|text| Some(module_name(&text)?.to_lowercase()));
    // `@scope/name`
    let package = package.map(|name| name.rsplit('/').next().unwrap_or(name));
    let names = [package, project, crate_].into_iter().flatten();
    let names = names.map(str::to_lowercase);
    names.chain(module).chain(dir.real_name()).collect()
}

/// Returns the last component of the name of a Go module, without its major version.
fn module_name(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim);
    let module = lines.find_map(|line| line.strip_prefix("module "))?.trim();
    let is_version = |part: &&str| {
        let digits = part.strip_prefix('v').unwrap_or("");
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    module.rsplit('/').find(|part| !is_version(part))
}
