//! Which directories of a checkout detection searches.

use super::skipped::is_assets;
use super::{Dir, Skipped, is_skipped, node, templates};
use portway_project::manifest::FILE_NAME;

/// Levels below the root that are searched.
const DEPTH: usize = 2;

/// Maximum number of directories that are searched.
const MAX_DIRS: usize = 1000;

/// Directories in the root that only group projects.
const GROUPS: [&str; 6] = ["apps", "code", "projects", "services", "source", "src"];

/// Maximum number of directories that are opened below those groups, in addition.
const MAX_GROUPED: usize = 300;

/// Returns the root and the directories below it that detection searches, parents first.
/// Those with a path in `nested` are checkouts of their own.
pub(super) fn walk<'a>(
    root: Dir<'a>,
    nested: &[String],
    passed_over: &mut Vec<Skipped>,
) -> Vec<Dir<'a>> {
    let mut level = vec![root];
    let mut all = Vec::new();
    let mut is_filled_in = |dir: &Dir<'_>| {
        let template = templates::of(dir);
        let is_none = template.is_none();
        passed_over.extend(template);
        is_none
    };
    for depth in 0..=DEPTH {
        let mut below = Vec::new();
        if depth < DEPTH {
            for dir in &level {
                let names = dir.dirs().filter(|name| !is_skipped(name));
                let names = names.filter(|name| !nested.contains(&dir.path_of(name)));
                let subs = names.filter_map(|name| dir.sub(name));
                below.extend(subs.filter(|sub| is_filled_in(sub)));
                if all.len() + level.len() + below.len() > MAX_DIRS {
                    break;
                }
            }
        }
        all.append(&mut level);
        level = below;
    }
    add_grouped(&mut all, nested);
    add_started(&mut all, nested);
    all.truncate(MAX_DIRS);
    add_workspace_members(&mut all);
    // A directory with a manifest is a project of its own.
    let own: Vec<String> = all
        .iter()
        .filter(|dir| !dir.path().is_empty() && dir.has(FILE_NAME))
        .map(|dir| dir.path().to_owned())
        .collect();
    let is_below = |dir: &Dir<'_>, above: &String| {
        let rest = dir.path().strip_prefix(above.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    all.retain(|dir| !own.iter().any(|above| is_below(dir, above)));
    passed_over.extend(own.into_iter().map(|dir| Skipped {
        file: format!("{dir}/{FILE_NAME}"),
        why: "makes its directory a project of its own".into(),
    }));
    all
}

/// Adds the projects one level below the others in directories that only group projects: `src/web/client`.
fn add_grouped<'a>(all: &mut Vec<Dir<'a>>, nested: &[String]) {
    let is_group = |dir: &&Dir<'a>| {
        let mut parts = dir.path().split('/');
        let first = parts.next().unwrap_or("");
        GROUPS.contains(&first) && parts.count() + 1 == DEPTH
    };
    let mut opened = 0;
    let mut found = Vec::new();
    for dir in all.iter().filter(is_group) {
        let names = dir.dirs().filter(|name| !is_skipped(name));
        let names = names.filter(|name| !nested.contains(&dir.path_of(name)));
        for name in names {
            if opened >= MAX_GROUPED {
                break;
            }
            opened += 1;
            found.extend(dir.sub(name).filter(|sub| {
                ["package.json", "pyproject.toml", "requirements.txt"]
                    .iter()
                    .any(|file| sub.has(file))
                    && !templates::contains(sub)
            }));
        }
    }
    all.extend(found);
}

/// Adds the packages that scripts of other packages start, which may be deeper than other directories, or among
/// files that a server serves.
fn add_started(all: &mut Vec<Dir<'_>>, nested: &[String]) {
    let mut found: Vec<Dir<'_>> = Vec::new();
    for dir in all.iter() {
        for path in node::started_dirs(dir) {
            let whole = dir.path_of(&path);
            let mut parts = whole.split('/');
            let is_left_out = parts.any(|part| is_skipped(part) && !is_assets(part));
            let mut known = all.iter().chain(&found);
            if is_left_out || nested.contains(&whole) || known.any(|one| one.path() == whole) {
                continue;
            }
            found.extend(dir.below(&path).filter(|sub| !templates::contains(sub)));
        }
    }
    all.extend(found);
}

/// Adds the members of workspaces, which may be deeper than other directories, or have names that are
/// skipped otherwise.
fn add_workspace_members(dirs: &mut Vec<Dir<'_>>) {
    let limit = MAX_DIRS - dirs.len();
    let members: Vec<Dir<'_>> = dirs
        .iter()
        .flat_map(|dir| node::members(dir, limit))
        .collect();
    for member in members {
        let is_new = dirs.iter().all(|dir| dir.path() != member.path());
        if is_new && dirs.len() < MAX_DIRS && !templates::contains(&member) {
            dirs.push(member);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    #[test]
    fn finds_projects_in_directories_that_group_others() {
        let web = "{\"scripts\": {\"dev\": \"vite\"}}";
        let places = |files: &[&str]| -> Vec<String> {
            let files: Vec<(&str, &str)> = files.iter().map(|path| (*path, web)).collect();
            let detection = checkout(&files, &["npm"]);
            detection.services.into_iter().map(|one| one.dir).collect()
        };
        for (file, dir) in [
            ("src/js/web/package.json", "src/js/web"),
            ("src/Shop/ClientApp/package.json", "src/Shop/ClientApp"),
            ("apps/shop/frontend/package.json", "apps/shop/frontend"),
        ] {
            assert_eq!(places(&[file]), [dir]);
        }
        for file in [
            "lib/a/b/package.json",
            "src/a/node_modules/package.json",
            "src/a/b/c/package.json",
        ] {
            assert!(places(&[file]).is_empty(), "{file}");
        }
    }
}
