//! Why a package has no service.

use super::package::Package;
use super::script::Script;
use super::search::{MANAGERS, changed_dir, other_dir, without_brackets};
use super::starters::{StartTarget, is_parallel, started};
use super::workspace::exclusion;
use crate::{DetectedService, Dir};

/// Scripts that start what is developed, the most likely first.
const DEV: [&str; 4] = ["dev", "start", "serve", "develop"];

/// Options of package managers that are followed by a directory or by the name of a package.
pub(super) const PLACES: [&str; 8] = [
    "--prefix",
    "--cwd",
    "-C",
    "--dir",
    "--filter",
    "-F",
    "--workspace",
    "-w",
];

/// Returns why the package in `dir` has no service; `None` if it is no package.
pub(crate) fn reason(dir: &Dir<'_>, services: &[DetectedService]) -> Option<String> {
    let package = Package::read(dir)?;
    if let Some((pattern, file)) = exclusion(dir) {
        return Some(format!(
            "is not in the workspace because of `{pattern}` in {file}; run `portway -C {} plan` for it",
            dir.path()
        ));
    }
    if !package.workspaces.is_empty() || dir.has("pnpm-workspace.yaml") {
        return None;
    }
    Some(match main_script(&package) {
        Some((name, text)) => {
            let parts = parts(dir, &package, &text);
            let of_parts = parts
                .iter()
                .map(|part| Some((part, service(dir, part, services)?)));
            let known: Vec<(&String, &str)> = of_parts.flatten().collect();
            let is_known = |part: &&String| known.iter().any(|(one, _)| one == part);
            let unknown: Vec<String> = parts
                .iter()
                .filter(|part| !is_known(part))
                .map(|part| format!("`{part}`"))
                .collect();
            let names: Vec<String> = known.iter().map(|(_, name)| format!("`{name}`")).collect();
            match (names.is_empty(), unknown.is_empty()) {
                (true, _) => format!(
                    "has the script `{name}` (`{text}`), which starts no server that Portway knows"
                ),
                (false, true) if names.len() == 1 => {
                    format!(
                        "has the script `{name}`, which starts the service {}",
                        names[0]
                    )
                }
                (false, true) => format!(
                    "has the script `{name}`, whose parts are the services {}",
                    names.join(", ")
                ),
                (false, false) => format!(
                    "has the script `{name}`, whose parts are the services {}, and {}, which Portway does not start",
                    names.join(", "),
                    unknown.join(", ")
                ),
            }
        }
        // Its `project.json` has targets instead.
        None if package.scripts.is_empty() && dir.has("project.json") => return None,
        None if package.scripts.is_empty() => "has no scripts".to_owned(),
        None => "has no script that starts a server".to_owned(),
    })
}

/// Returns the script that starts what is developed, with its text.
pub(super) fn main_script(package: &Package) -> Option<(&str, String)> {
    let mut names = DEV.iter();
    let (name, text) = names.find_map(|name| package.scripts.get_key_value(*name))?;
    Some((name, shortened(text)))
}

/// Returns the commands that a script starts at the same time, or its only one.
pub(super) fn parts(dir: &Dir<'_>, package: &Package, text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in Script::at_once(text) {
        let targets = Script::parse(part).and_then(|script| {
            let is_here = is_parallel(&script.last) && other_dir(dir, &script).is_none();
            started(package, &script.last).filter(|_| is_here)
        });
        match targets {
            Some(targets) => parts.extend(targets.into_iter().map(|target| match target {
                StartTarget::Command(text) => text,
                StartTarget::Script(name, _) => {
                    package.scripts.get(&name).cloned().unwrap_or_default()
                }
            })),
            None => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Returns the name of the service that a command in `dir` starts in another directory.
fn service<'s>(dir: &Dir<'_>, text: &str, services: &'s [DetectedService]) -> Option<&'s str> {
    let script = Script::parse(without_brackets(text))?;
    let in_dir = |path: &str| {
        let mut services = services.iter();
        services
            .find(|one| one.dir == path)
            .map(|one| one.name.as_str())
    };
    if let Some(other) = changed_dir(dir, &script) {
        return in_dir(other.path());
    }
    if !MANAGERS.contains(&script.last.program()) {
        return None;
    }
    let words = script.last.arguments();
    let place = words
        .iter()
        .enumerate()
        .find_map(|(index, word)| match word.split_once('=') {
            Some((flag, value)) if PLACES.contains(&flag) => Some(value),
            None if PLACES.contains(&word.as_str()) || word == "workspace" => {
                words.get(index + 1).map(String::as_str)
            }
            _ => None,
        })?;
    let path = dir.path_of(place.trim_start_matches("./").trim_end_matches(['/', '.']));
    in_dir(path.trim_end_matches('/')).or_else(|| {
        let is_it = |one: &&DetectedService| {
            let below = one.dir.strip_prefix(dir.path()).unwrap_or(&one.dir);
            let package = dir.below(below).and_then(|at| at.json("package.json"));
            package.is_some_and(|package| package["name"].as_str() == Some(place))
        };
        services.iter().find(is_it).map(|one| one.name.as_str())
    })
}

/// Maximum number of characters of a script that are shown.
const MAX_SHOWN: usize = 500;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}
