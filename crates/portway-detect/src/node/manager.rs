//! Who installs the packages and runs the scripts, and where.

use std::borrow::Cow;

use super::package::Package;
use crate::yaml::strings;
use crate::{Dir, Surroundings};

/// Patterns of workspaces with more parts than this name nothing that is looked at.
const MAX_PARTS: usize = 8;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    Npm,
    Pnpm,
    /// Version 1.
    Yarn,
    /// Version 2 and later.
    Berry,
    Bun,
}

/// Lock files and whose they are.
const LOCKS: [(&str, Manager); 6] = [
    ("pnpm-lock.yaml", Manager::Pnpm),
    ("yarn.lock", Manager::Yarn),
    ("bun.lock", Manager::Bun),
    ("bun.lockb", Manager::Bun),
    ("package-lock.json", Manager::Npm),
    ("npm-shrinkwrap.json", Manager::Npm),
];

/// The manager of a package.
#[derive(Debug)]
pub(super) struct Managed {
    pub(super) manager: Manager,
    /// Its program, as a command: `pnpm`, or `corepack pnpm` where only that is there.
    program: Cow<'static, str>,
    /// The directory whose packages are installed, relative to the root; the package's own, or its
    /// workspace's.
    pub(super) root: String,
    /// Whether there is a lock file.
    is_locked: bool,
    /// Sentences of evidence.
    pub(super) evidence: Vec<String>,
}

impl Managed {
    /// The manager of the package in `dir`.
    pub(super) fn of(dir: &Dir<'_>, package: &Package, surroundings: &Surroundings<'_>) -> Self {
        let root = dir.upwards().skip(1).find(|above| has_member(above, dir));
        let mut evidence = Vec::new();
        if let Some(root) = &root {
            let file = match root.has("pnpm-workspace.yaml") {
                true => "pnpm-workspace.yaml",
                false => "package.json",
            };
            evidence.push(format!(
                "it belongs to the workspace of {}",
                root.path_of(file)
            ));
        }
        let root_path = root
            .as_ref()
            .map_or(dir.path(), |root| root.path())
            .to_owned();
        // A directory with neither is like those above it.
        let places = dir.upwards().map(|at| {
            let declared = match at.path() == dir.path() {
                true => package.manager.clone(),
                false => Package::read(&at).and_then(|package| package.manager),
            };
            (at, declared)
        });
        let sign = places
            .into_iter()
            .find_map(|(at, declared)| sign(&at, declared));
        let is_locked = dir
            .upwards()
            .find(|at| at.path() == root_path)
            .is_some_and(|at| LOCKS.iter().any(|(lock, _)| at.has(lock)));
        let manager = sign.as_ref().map_or(Manager::Npm, |(manager, _)| *manager);
        evidence.extend(sign.map(|(_, sentence)| sentence));
        let name = manager.name();
        let program = if (surroundings.has_program)(name) {
            Cow::Borrowed(name)
        } else if manager.is_in_corepack() && (surroundings.has_program)("corepack") {
            evidence.push(format!("`{name}` is not there, so `corepack` fetches it"));
            Cow::Owned(format!("corepack {name}"))
        } else {
            evidence.push(format!("`{name}` is not on this machine"));
            Cow::Borrowed(name)
        };
        Self {
            manager,
            program,
            root: root_path,
            is_locked,
            evidence,
        }
    }

    /// Installs the packages as the lock file has them, and writes none.
    pub(super) fn install(&self) -> String {
        let arguments = match (self.manager, self.is_locked) {
            (Manager::Npm, _) => "install --no-save --no-audit --no-fund",
            (Manager::Berry, true) => "install --immutable",
            (_, true) => "install --frozen-lockfile",
            (Manager::Yarn, false) => "install --no-lockfile",
            (Manager::Pnpm, false) => "install --no-lockfile",
            (Manager::Berry | Manager::Bun, false) => "install",
        };
        format!("{} {arguments}", self.program)
    }

    /// Runs a script, with more arguments for it.
    pub(super) fn run(&self, script: &str, arguments: &str) -> String {
        let mut command = format!("{} run {script}", self.program);
        if !arguments.is_empty() {
            // Only npm would take them for its own.
            let between = if self.manager == Manager::Npm {
                " -- "
            } else {
                " "
            };
            command += between;
            command += arguments;
        }
        command
    }

    /// What stands before a program of an installed package.
    pub(super) fn exec(&self) -> String {
        let between = match self.manager {
            Manager::Npm => "exec --",
            Manager::Pnpm => "exec",
            Manager::Yarn | Manager::Berry => "run",
            Manager::Bun => "x",
        };
        format!("{} {between}", self.program)
    }
}

impl Manager {
    fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn | Self::Berry => "yarn",
            Self::Bun => "bun",
        }
    }

    fn is_in_corepack(self) -> bool {
        matches!(self, Self::Pnpm | Self::Yarn | Self::Berry)
    }
}

/// The manager that the files in `at` tell, with the sentence that says so.
fn sign(at: &Dir<'_>, declared: Option<String>) -> Option<(Manager, String)> {
    let is_berry = at.has(".yarnrc.yml");
    let yarn = |later: bool| if later { Manager::Berry } else { Manager::Yarn };
    if let Some(declared) = declared {
        let (name, version) = declared.split_once('@').unwrap_or((&declared, ""));
        let major = version.split('.').next().unwrap_or("");
        let manager = match name {
            "npm" => Some(Manager::Npm),
            "pnpm" => Some(Manager::Pnpm),
            "yarn" => Some(yarn(is_berry || (major != "1" && !version.is_empty()))),
            "bun" => Some(Manager::Bun),
            _ => None,
        };
        if let Some(manager) = manager {
            let file = at.path_of("package.json");
            return Some((manager, format!("`packageManager` in {file} is {declared}")));
        }
    }
    let (lock, manager) = LOCKS.iter().find(|(lock, _)| at.has(lock))?;
    let manager = match manager {
        Manager::Yarn => yarn(is_berry),
        manager => *manager,
    };
    let (lock, name) = (at.path_of(lock), manager.name());
    Some((manager, format!("{lock} is there, so `{name}` runs it")))
}

/// Whether `dir` is a member of the workspace of `root`.
fn has_member(root: &Dir<'_>, dir: &Dir<'_>) -> bool {
    let patterns = match root.yaml("pnpm-workspace.yaml") {
        Some(file) => file.get("packages").map(strings).unwrap_or_default(),
        None if root.has("package.json") => {
            Package::read(root).map_or_else(Vec::new, |package| package.workspaces)
        }
        None => return false,
    };
    let below = dir.path().strip_prefix(root.path()).unwrap_or("");
    is_among(&patterns, below.trim_start_matches('/'))
}

/// Whether a path is among those that a workspace's patterns name; one with `!` takes out.
fn is_among(patterns: &[String], path: &str) -> bool {
    let clean = |pattern: &str| {
        pattern
            .trim_start_matches("./")
            .trim_end_matches('/')
            .to_owned()
    };
    let meets = |pattern: &str| {
        let pattern = clean(pattern);
        let pattern: Vec<&str> = pattern.split('/').take(MAX_PARTS).collect();
        let path: Vec<&str> = path.split('/').collect();
        matches(&pattern, &path)
    };
    let (out, within): (Vec<&str>, Vec<&str>) = patterns
        .iter()
        .map(String::as_str)
        .partition(|pattern| pattern.starts_with('!'));
    within.iter().any(|pattern| meets(pattern)) && !out.iter().any(|pattern| meets(&pattern[1..]))
}

/// Whether a path has the parts of a pattern: `*` is any one, `**` any number, and a star within a
/// part any characters.
fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            // A path has three parts at most: detection looks no deeper.
            (0..=path.len()).any(|skipped| matches(rest, &path[skipped..]))
        }
        (Some((first, pattern)), Some((part, path))) => {
            let meets = match first.split_once('*') {
                Some((before, after)) => {
                    part.len() >= before.len() + after.len()
                        && part.starts_with(before)
                        && part.ends_with(after)
                }
                None => first == part,
            };
            meets && matches(pattern, path)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_workspaces_are_understood() {
        let patterns = ["apps/*", "./tools/", "libs/**", "pkg-*", "!apps/old"];
        let patterns = patterns.map(str::to_owned);
        for (path, answer) in [
            ("apps/web", true),
            ("apps/old", false),
            ("apps", false),
            ("apps/web/deep", false),
            ("tools", true),
            ("libs/a", true),
            ("libs/a/b", true),
            ("pkg-x", true),
            ("other", false),
        ] {
            assert_eq!(is_among(&patterns, path), answer, "{path}");
        }
    }
}
