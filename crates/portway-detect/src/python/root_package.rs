//! Whether the project itself can be installed as a package.
//!
//! Many applications have the files of a package, and no directory that it could consist of. Installing them
//! fails, and they run from their directory.

use toml::Value;

use super::packages::{Packages, project_name};
use crate::Dir;

impl Packages {
    /// Returns whether the build backend of the project contains this name.
    pub(super) fn is_built_by(&self, name: &str) -> bool {
        let backend = self.pyproject.as_ref().and_then(|table| {
            let system = table.get("build-system")?;
            system.get("build-backend")?.as_str()
        });
        backend.is_some_and(|backend| backend.contains(name))
    }
}

/// Returns whether pip can build the project in `dir` and install it.
pub(super) fn is_built(dir: &Dir<'_>, packages: &Packages) -> bool {
    let Some(project) = &packages.pyproject else {
        return false;
    };
    project.contains_key("build-system")
        && match () {
            () if packages.is_built_by("poetry") => can_poetry_install(dir, packages),
            () if packages.is_built_by("hatchling") => can_hatchling_build(dir, packages),
            () => !is_package_mode_off(packages),
        }
}

fn poetry<'p>(packages: &'p Packages, key: &str) -> Option<&'p Value> {
    let tool = packages.pyproject.as_ref()?.get("tool")?;
    tool.get("poetry")?.get(key)
}

fn is_package_mode_off(packages: &Packages) -> bool {
    poetry(packages, "package-mode").and_then(Value::as_bool) == Some(false)
}

/// Returns whether `poetry install` needs the option `--no-root`.
pub(super) fn needs_no_root(dir: &Dir<'_>, packages: &Packages) -> bool {
    let name = packages.pyproject.as_ref().and_then(project_name);
    name.is_some() && !is_package_mode_off(packages) && !can_poetry_install(dir, packages)
}

fn can_poetry_install(dir: &Dir<'_>, packages: &Packages) -> bool {
    let Some(table) = &packages.pyproject else {
        return false;
    };
    if is_package_mode_off(packages) {
        return false;
    }
    let readme = poetry(packages, "readme").or_else(|| {
        table
            .get("project")
            .and_then(|project| project.get("readme"))
    });
    let readmes = match readme {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        Some(Value::Table(one)) => one
            .get("file")
            .and_then(Value::as_str)
            .into_iter()
            .collect(),
        _ => Vec::new(),
    };
    if readmes.iter().any(|readme| !exists(dir, readme)) {
        return false;
    }
    if let Some(Value::Array(all)) = poetry(packages, "packages") {
        return all.iter().all(|one| {
            let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or("");
            // A pattern is not looked at.
            let include = text("include").split('*').next().unwrap_or("");
            exists(dir, &format!("{}/{include}", text("from")))
        });
    }
    let Some(name) = project_name(table) else {
        return false;
    };
    has_module(dir, &name.replace('-', "_"))
}

fn can_hatchling_build(dir: &Dir<'_>, packages: &Packages) -> bool {
    let Some(table) = &packages.pyproject else {
        return false;
    };
    let build = table
        .get("tool")
        .and_then(|tool| tool.get("hatch")?.get("build"));
    let Some(name) = project_name(table) else {
        return false;
    };
    build.is_some() || has_module(dir, &name.replace('-', "_")) || {
        // A namespace package.
        let mut below = dir.subs();
        below.any(|sub| sub.has(&name.replace('-', "_")))
    }
}

/// Returns whether uv cannot build the project, so that only its dependencies can be installed.
pub(super) fn needs_no_project(dir: &Dir<'_>, packages: &Packages) -> bool {
    packages.is_built_by("hatchling") && !can_hatchling_build(dir, packages)
}

fn has_module(dir: &Dir<'_>, name: &str) -> bool {
    let has = |dir: &Dir<'_>| {
        let mut dirs = dir.dirs();
        dirs.any(|one| one.eq_ignore_ascii_case(name)) || dir.has(&format!("{name}.py"))
    };
    has(dir) || dir.sub("src").is_some_and(|src| has(&src))
}

fn exists(dir: &Dir<'_>, path: &str) -> bool {
    let path = path.trim_matches('/').trim_start_matches("./");
    let (place, name) = path.rsplit_once('/').unwrap_or(("", path));
    name.is_empty() || dir.below(place).is_some_and(|place| place.has(name))
}
