//! Workspaces of npm, pnpm, yarn and bun: which packages belong to one.

use super::package::Package;
use super::script::Script;
use super::starters::forwarded;
use crate::Dir;
use crate::yaml::strings;

/// Maximum number of components of a pattern.
const MAX_PARTS: usize = 8;

/// Levels below the root of a workspace that are searched for members.
const MAX_DEPTH: usize = 8;

/// Returns the patterns of the members of the workspace with this root; none if it is not one.
fn patterns(root: &Dir<'_>) -> Vec<String> {
    match root.yaml("pnpm-workspace.yaml") {
        Some(file) => file.get("packages").map(strings).unwrap_or_default(),
        None if root.has("package.json") => {
            Package::read(root).map_or_else(Vec::new, |package| package.workspaces)
        }
        None => Vec::new(),
    }
}

/// Returns whether `dir` is a member of the workspace of `root`.
pub(super) fn has_member(root: &Dir<'_>, dir: &Dir<'_>) -> bool {
    let patterns = patterns(root);
    let below = dir.path().strip_prefix(root.path()).unwrap_or("");
    is_among(&patterns, below.trim_start_matches('/'))
}

/// Returns the pattern by which the workspace of a directory above excludes `dir`, with its file.
pub(super) fn exclusion(dir: &Dir<'_>) -> Option<(String, String)> {
    dir.upwards().skip(1).find_map(|root| {
        let patterns = patterns(&root);
        let below = dir.path().strip_prefix(root.path()).unwrap_or("");
        let below = below.trim_start_matches('/');
        let without: Vec<String> = patterns
            .iter()
            .filter(|one| !one.starts_with('!'))
            .cloned()
            .collect();
        // Otherwise it is no member anyway.
        if !is_among(&without, below) || is_among(&patterns, below) {
            return None;
        }
        let out = patterns.iter().filter(|one| one.starts_with('!'));
        let mut out = out.filter(|one| is_among(&[one[1..].to_owned()], below));
        let file = match root.has("pnpm-workspace.yaml") {
            true => "pnpm-workspace.yaml",
            false => "package.json",
        };
        Some((out.next()?.clone(), root.path_of(file)))
    })
}

/// Returns whether a path matches a workspace's patterns; a pattern with `!` excludes.
fn is_among(patterns: &[String], path: &str) -> bool {
    let clean = |pattern: &str| {
        pattern
            .trim_start_matches("./")
            .trim_end_matches('/')
            .to_owned()
    };
    let is_match = |pattern: &str| {
        let pattern = clean(pattern);
        let pattern: Vec<&str> = pattern.split('/').take(MAX_PARTS).collect();
        let path: Vec<&str> = path.split('/').collect();
        matches(&pattern, &path)
    };
    let (out, within): (Vec<&str>, Vec<&str>) = patterns
        .iter()
        .map(String::as_str)
        .partition(|pattern| pattern.starts_with('!'));
    within.iter().any(|pattern| is_match(pattern))
        && !out.iter().any(|pattern| is_match(&pattern[1..]))
}

/// Returns whether a path matches the components of a pattern: `*` matches one component, `**` any
/// number, and a star within a component any characters.
fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=path.len()).any(|skipped| matches(rest, &path[skipped..])),
        (Some((first, pattern)), Some((part, path))) => {
            is_component_match(first, part) && matches(pattern, path)
        }
        _ => false,
    }
}

/// Returns the members of the workspace of `root` that have a `package.json`, at most `limit`.
pub(crate) fn members<'d>(root: &Dir<'d>, limit: usize) -> Vec<Dir<'d>> {
    let patterns = patterns(root);
    let mut members = Vec::new();
    for pattern in patterns.iter().filter(|pattern| !pattern.starts_with('!')) {
        let parts: Vec<&str> = pattern
            .split('/')
            .filter(|part| !["", "."].contains(part))
            .take(MAX_PARTS)
            .collect();
        if let Some(root) = root.below("") {
            expand(root, &parts, MAX_DEPTH, limit, &mut members);
        }
    }
    let path = |dir: &Dir<'_>| {
        let below = dir.path().strip_prefix(root.path()).unwrap_or("");
        below.trim_start_matches('/').to_owned()
    };
    members.retain(|member| is_among(&patterns, &path(member)));
    if root.has("nx.json")
        && let Some(root) = root.below("")
    {
        let limit = limit.saturating_sub(members.len());
        members.extend(nx_projects(root, limit));
    }
    members
}

/// Levels below the root of an Nx workspace that are searched for projects.
const NX_DEPTH: usize = 4;

/// Maximum number of directories of an Nx workspace that are searched.
const NX_MAX_SEARCHED: usize = 2000;

/// Returns the projects of an Nx workspace, at most `limit`. They need no `package.json`.
fn nx_projects<'d>(root: Dir<'d>, limit: usize) -> Vec<Dir<'d>> {
    let (mut found, mut level, mut searched) = (Vec::new(), vec![root], 0);
    for _ in 0..NX_DEPTH {
        let mut below = Vec::new();
        for dir in &level {
            let names = dir.dirs().filter(|name| !crate::is_skipped(name));
            below.extend(names.filter_map(|name| dir.sub(name)));
            searched += 1;
            if searched > NX_MAX_SEARCHED {
                break;
            }
        }
        let (projects, others): (Vec<_>, Vec<_>) =
            below.into_iter().partition(|dir| dir.has("project.json"));
        found.extend(projects);
        level = others;
    }
    found.truncate(limit);
    found
}

/// Adds the directories below `dir` that match the components of a pattern and have a
/// `package.json`.
fn expand<'d>(
    dir: Dir<'d>,
    pattern: &[&str],
    depth: usize,
    limit: usize,
    members: &mut Vec<Dir<'d>>,
) {
    if members.len() >= limit {
        return;
    }
    let Some((first, rest)) = pattern.split_first() else {
        if dir.has("package.json") && !dir.path().is_empty() {
            members.push(dir);
        }
        return;
    };
    let is_searched = |name: &&str| !name.starts_with('.') && *name != "node_modules";
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    for name in dir.dirs().filter(is_searched) {
        let next = match *first {
            "**" => pattern,
            first if is_component_match(first, name) => rest,
            _ => continue,
        };
        if let Some(below) = dir.sub(name) {
            expand(below, next, depth, limit, members);
        }
    }
    if *first == "**" {
        expand(dir, rest, depth, limit, members);
    }
}

/// Returns whether a component of a path matches one of a pattern, in which a star stands for any
/// characters.
pub(super) fn is_component_match(pattern: &str, part: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => {
            part.len() >= before.len() + after.len()
                && part.starts_with(before)
                && part.ends_with(after)
        }
        None => pattern == part,
    }
}

/// Returns whether a script of the root of a workspace starts the script `name` of all members:
/// `turbo run dev`, `pnpm -r dev`.
pub(super) fn starts_all_members(package: &Package, script: &str, name: &str) -> bool {
    let text = package.scripts.get(script).map_or("", String::as_str);
    let Some(command) = Script::parse(text).map(|script| script.last) else {
        return false;
    };
    let text = forwarded(package, &command);
    let command = text
        .and_then(|text| Script::parse(&text))
        .map_or(command, |script| script.last);
    let has = |words: &[&str]| {
        command
            .arguments()
            .iter()
            .any(|word| words.contains(&word.as_str()))
    };
    let is_for_all = match command.program() {
        "turbo" => !command
            .arguments()
            .iter()
            .any(|word| word.starts_with("--filter") || word == "-F"),
        "lerna" => has(&["run"]),
        "nx" => has(&["run-many"]) && !has(&["-p", "--projects"]),
        "pnpm" => has(&["-r", "--recursive"]),
        "npm" => has(&["-ws", "--workspaces"]),
        "yarn" => has(&["workspaces"]),
        _ => false,
    };
    is_for_all && has(&[name])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_workspace_patterns() {
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
