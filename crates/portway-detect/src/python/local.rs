//! The arguments with which pip installs the packages of a project, and of the directories that it names.
//!
//! A package in a directory may need others of the same checkout by name. pip would look for them on PyPI, so
//! they are installed from their directories too.

use std::collections::BTreeSet;

use toml::Value;

use super::packages::{Group, Packages, Requirement, project_name};
use super::root_package;
use super::sources::Install;
use crate::Dir;
use portway_project::shell::quote;

/// Maximum number of directories that are read for one project.
const MAX_DIRS: usize = 50;

/// Maximum number of members of a workspace.
const MAX_MEMBERS: usize = 300;

/// What pip installs.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// The arguments, quoted for a shell.
    pub(super) words: Vec<String>,
    /// Packages that are not installed, each with the reason: "`x` comes from the index `y`".
    pub(super) left_out: Vec<String>,
    /// Packages that the metadata of the project names and that would come from elsewhere.
    pub(super) is_main_left_out: bool,
}

/// The endings of archives that pip installs.
const ARCHIVES: [&str; 5] = [".whl", ".zip", ".tar.gz", ".tar.bz2", ".tgz"];

/// Returns the arguments of `pip install` for a project without requirements file, with the packages that are
/// always installed and those of `group`.
pub(super) fn arguments(dir: &Dir<'_>, packages: &Packages, group: &Group) -> Arguments {
    let has_setup =
        packages.setup.is_some() && dir.first_of(&["setup.py", "pyproject.toml"]).is_some();
    let is_package = has_setup || root_package::is_built(dir, packages);
    let mut reader = Reader {
        dir,
        seen: BTreeSet::from([dir.path().to_owned()]),
    };
    let all = reader.selected(dir, packages, group, false);
    // Without its dependencies, the project cannot be installed as a package.
    if !is_package || all.is_main_left_out {
        return all;
    }
    reader.seen.retain(|seen| seen == dir.path());
    let mut all = reader.selected(dir, packages, group, true);
    let own = match group {
        Group::Extra(name) if !name.is_empty() => quote(&format!(".[{name}]")).into_owned(),
        _ => ".".to_owned(),
    };
    all.words.splice(0..0, ["-e".to_owned(), own]);
    all
}

struct Reader<'r, 'd> {
    dir: &'r Dir<'d>,
    /// The directories that were read.
    seen: BTreeSet<String>,
}

impl Reader<'_, '_> {
    /// Returns the arguments for the selected packages of the project in `at`. With `has_metadata`, pip knows
    /// from the metadata of the project which packages it needs.
    fn selected(
        &mut self,
        at: &Dir<'_>,
        packages: &Packages,
        group: &Group,
        has_metadata: bool,
    ) -> Arguments {
        let mut all = Arguments::default();
        for (name, one) in packages.selected(group) {
            let is_main = packages.group_of(name) == Group::Main;
            let is_in_metadata = match packages.group_of(name) {
                Group::Main | Group::Extra(_) => true,
                Group::Default | Group::Requirement(_) => false,
            };
            if is_in_metadata && has_metadata && !is_missing_there(packages, one) {
                // pip must not take another package for it.
                let refused = one.installs.iter().find_map(|one| match one {
                    Install::Not(why) => Some(why),
                    _ => None,
                });
                all.is_main_left_out |= refused.is_some();
                all.left_out
                    .extend(refused.map(|why| format!("`{name}` {why}")));
                continue;
            }
            for install in &one.installs {
                match self.one(at, name, install) {
                    Ok(words) => all.words.extend(words),
                    Err(why) => {
                        all.left_out.push(format!("`{name}` {why}"));
                        all.is_main_left_out |= is_main;
                    }
                }
            }
        }
        all
    }

    fn one(&mut self, at: &Dir<'_>, name: &str, install: &Install) -> Result<Vec<String>, String> {
        match install {
            Install::Requirement(text) => Ok(vec![quote(text).into_owned()]),
            Install::Not(why) => Err(why.clone()),
            Install::Member(extras) => {
                let member = member(at, name).ok_or("is no member of the workspace")?;
                self.directory(&member, extras, None)
            }
            Install::Path {
                path,
                extras,
                marker,
            } => {
                if ARCHIVES.iter().any(|end| path.ends_with(end)) || path.starts_with('/') {
                    return Ok(vec![path_word(path, extras, marker.as_deref())]);
                }
                let Some(within) = resolved(at.path(), path) else {
                    // Outside the checkout.
                    let path = relative(self.dir.path(), at.path());
                    let path = join(&path, install_path(install));
                    return Ok(words(&path, extras, marker.as_deref()));
                };
                self.directory(&within, extras, marker.as_deref())
            }
        }
    }

    /// Returns the arguments that install the package in a directory of the checkout.
    fn directory(
        &mut self,
        path: &str,
        extras: &str,
        marker: Option<&str>,
    ) -> Result<Vec<String>, String> {
        let root = self.dir.upwards().last();
        let dir = root.and_then(|root| root.below(path));
        let dir = dir.filter(|dir| dir.first_of(&["pyproject.toml", "setup.py"]).is_some());
        let Some(dir) = dir else {
            return Err(format!("comes from `{path}`, which contains no package"));
        };
        let mut all = words(&relative(self.dir.path(), path), extras, marker);
        if !self.seen.insert(path.to_owned()) || self.seen.len() > MAX_DIRS {
            return Ok(all);
        }
        if let Some(packages) = Packages::read(&dir) {
            let needed = self.selected(&dir, &packages, &Group::Main, true);
            if let Some(why) = needed.left_out.first() {
                return Err(format!("needs a package that is not installed: {why}"));
            }
            all.extend(needed.words);
        }
        Ok(all)
    }
}

/// Returns whether the metadata of a project names this package without its place: only uv knows that.
fn is_missing_there(packages: &Packages, one: &Requirement) -> bool {
    one.has_source && !packages.is_built_by("poetry")
}

fn install_path(install: &Install) -> &str {
    match install {
        Install::Path { path, .. } => path,
        _ => "",
    }
}

fn words(path: &str, extras: &str, marker: Option<&str>) -> Vec<String> {
    let word = path_word(path, extras, marker);
    // pip reads a marker only behind a package that is not editable.
    match marker {
        Some(_) => vec![word],
        None => vec!["-e".into(), word],
    }
}

fn path_word(path: &str, extras: &str, marker: Option<&str>) -> String {
    // Otherwise a path without a slash is the name of a package.
    let start = match path.starts_with(['.', '/']) {
        true => "",
        false => "./",
    };
    let marker = marker.map_or(String::new(), |marker| format!("; {marker}"));
    quote(&format!("{start}{path}{extras}{marker}")).into_owned()
}

/// Returns the directory, relative to the root, of the member of the workspace around `at` that has this name.
fn member(at: &Dir<'_>, name: &str) -> Option<String> {
    at.upwards().find_map(|root| {
        let table = root.toml("pyproject.toml")?;
        let workspace = ["uv", "rye"].into_iter().find_map(|tool| {
            let tool = table.get("tool")?.get(tool)?;
            tool.get("workspace")?.as_table()
        })?;
        if project_name(&table).as_deref() == Some(name) {
            return Some(root.path().to_owned());
        }
        let patterns = workspace.get("members").and_then(Value::as_array);
        let patterns = patterns.into_iter().flatten().filter_map(Value::as_str);
        let dirs = patterns.flat_map(|pattern| matching(&root, pattern));
        let mut dirs = dirs.take(MAX_MEMBERS);
        dirs.find_map(|dir| {
            let table = dir.toml("pyproject.toml")?;
            (project_name(&table).as_deref() == Some(name)).then(|| dir.path().to_owned())
        })
    })
}

/// Returns the directories below `root` that match a pattern such as `libs/*`.
fn matching<'a>(root: &Dir<'a>, pattern: &str) -> Vec<Dir<'a>> {
    let parts = pattern.split('/').filter(|part| !matches!(*part, "" | "."));
    let mut found: Vec<Dir<'a>> = root.below("").into_iter().collect();
    for part in parts {
        let below = found.iter().flat_map(|dir| {
            let fits = |name: &&str| match part.split_once('*') {
                Some((start, end)) => {
                    let end = end.trim_start_matches('*');
                    name.len() >= start.len() + end.len()
                        && name.starts_with(start)
                        && name.ends_with(end)
                }
                None => *name == part,
            };
            let names = dir.dirs().filter(fits);
            names.filter_map(|name| dir.sub(name)).collect::<Vec<_>>()
        });
        let below = below.take(MAX_MEMBERS).collect();
        found = below;
    }
    found
}

/// Resolves a path in a directory; both are relative to the root. Returns `None` outside the root.
fn resolved(dir: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Returns the path from one directory to another; both are relative to the root.
fn relative(from: &str, to: &str) -> String {
    let parts = |path| str::split(path, '/').filter(|part| !part.is_empty());
    let (from, to): (Vec<&str>, Vec<&str>) = (parts(from).collect(), parts(to).collect());
    let pairs = from.iter().zip(&to);
    let same = pairs.take_while(|(one, other)| one == other).count();
    let up = from[same..].iter().map(|_| "..");
    let all: Vec<&str> = up.chain(to[same..].iter().copied()).collect();
    match all.is_empty() {
        true => ".".into(),
        false => all.join("/"),
    }
}

fn join(dir: &str, path: &str) -> String {
    match dir {
        "." => path.trim_start_matches("./").to_owned(),
        dir => format!("{dir}/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_paths_between_directories() {
        assert_eq!(resolved("apps/api", "../../libs/x"), Some("libs/x".into()));
        assert_eq!(resolved("apps", "./x/"), Some("apps/x".into()));
        assert_eq!(resolved("apps", "../../x"), None);
        assert_eq!(relative("apps/api", "libs/x"), "../../libs/x");
        assert_eq!(relative("", "libs/x"), "libs/x");
        assert_eq!(relative("libs", "libs"), ".");
        assert_eq!(join(".", "../x"), "../x");
        assert_eq!(join("..", "../x"), "../../x");
    }
}
