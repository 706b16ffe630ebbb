//! What the scripts of a root say about other packages: which members of a workspace `dev` starts, and in which
//! directories there are packages.

use super::package::Package;
use super::reason::{PLACES, parts};
use super::script::Script;
use super::search::{MANAGERS, changed_dir, without_brackets};
use super::servers::{is_start, starts_else};
use super::starters::{StartTarget, started};
use super::workspace::{has_member, is_component_match};
use crate::{DetectedService, Dir};
use portway_project::kind::Kind;

/// Scripts of the root of a workspace that start what is developed, the most likely first.
const DEV: [&str; 3] = ["dev", "start:dev", "develop"];

/// Programs that run a script of the members of a workspace that their options select.
const SELECTORS: [&str; 5] = ["turbo", "pnpm", "npm", "yarn", "bun"];

/// Options that select members by their name or directory.
const SELECTS: [&str; 4] = ["--filter", "-F", "--workspace", "-w"];

/// Makes members of a workspace optional that the script `dev` of its root leaves out: `turbo dev --filter=web`.
/// A server stays if the script starts none: the page needs one.
pub(crate) fn make_unselected_optional(root: &Dir<'_>, services: &mut [DetectedService]) {
    let Some(package) = Package::read(root) else {
        return;
    };
    let is_workspace = !package.workspaces.is_empty() || root.has("pnpm-workspace.yaml");
    let script = DEV
        .iter()
        .find_map(|name| package.scripts.get_key_value(*name));
    let Some((script, filters)) =
        script.and_then(|(name, text)| Some((name, filters(root, &package, text)?)))
    else {
        return;
    };
    // Directories select packages without a workspace, too.
    let by_directory = filters.iter().all(|filter| filter.is_directory);
    if !is_workspace && !by_directory {
        return;
    }
    let is_member = |one: &DetectedService| {
        let dir = root.below(&one.dir).filter(|_| !one.dir.is_empty());
        dir.is_some_and(|dir| dir.has("package.json") && (by_directory || has_member(root, &dir)))
    };
    let is_selected = |one: &DetectedService| {
        let file = root
            .below(&one.dir)
            .and_then(|dir| dir.json("package.json"));
        let name = file.as_ref().and_then(|file| file.get("name")?.as_str());
        filters.iter().any(|filter| filter.selects(&one.dir, name))
    };
    let selected: Vec<Kind> = services
        .iter()
        .filter(|one| is_member(one) && is_selected(one) && one.port.is_some())
        .map(|one| one.kind)
        .collect();
    if selected.is_empty() {
        return;
    }
    for one in services.iter_mut().filter(|one| !one.optional) {
        let is_needed = one.kind != Kind::Frontend && !selected.contains(&one.kind);
        if is_needed || !is_member(one) || is_selected(one) {
            continue;
        }
        one.optional = true;
        one.evidence.push(format!(
            "the script `{script}` in {} does not start it, so it is optional",
            root.path_of("package.json")
        ));
    }
}

/// The value of an option that selects members of a workspace.
#[derive(Debug, PartialEq, Eq)]
struct Filter {
    /// The name of a package, or the path of a directory; may contain a star.
    pattern: String,
    /// Whether it is the path of a directory in which a command runs.
    is_directory: bool,
}

impl Filter {
    /// Parses a name or path. `None` if it selects by something else, such as what has changed since a commit,
    /// or what the member depends on: `...[main]`, `web...`.
    fn parse(text: &str) -> Option<Self> {
        let pattern = text.trim_start_matches("./").trim_end_matches('/');
        let is_plain = !pattern.is_empty()
            && !pattern.contains(['!', '[', '{', '^', '$'])
            && !pattern.contains("...");
        is_plain.then(|| Self {
            pattern: pattern.to_owned(),
            is_directory: false,
        })
    }

    /// The directory in which a command starts a script: `cd web && npm start`, `npm --prefix web start`.
    fn of_directory(root: &Dir<'_>, script: &Script) -> Option<Self> {
        let place = directory(root, script).filter(|place| place.has("package.json"))?;
        let is_start = |word: &String| is_start(word);
        let starts = script.last.arguments().iter().any(is_start);
        (MANAGERS.contains(&script.last.program()) && starts).then(|| Self {
            pattern: place.path().to_owned(),
            is_directory: true,
        })
    }

    fn selects(&self, dir: &str, name: Option<&str>) -> bool {
        if self.is_directory {
            return dir == self.pattern;
        }
        let last = dir.rsplit('/').next();
        // pnpm and turbo accept a name without its scope.
        let without_scope = name
            .and_then(|name| name.split_once('/'))
            .map(|(_, name)| name);
        let mut known = [
            Some(dir),
            name,
            without_scope,
            last.filter(|_| name.is_none()),
        ]
        .into_iter()
        .flatten();
        known.any(|one| is_component_match(&self.pattern, one))
    }
}

/// Returns what the commands of a script select; `None` if one of them selects nothing or in another way.
fn filters(root: &Dir<'_>, package: &Package, text: &str) -> Option<Vec<Filter>> {
    let mut all = Vec::new();
    for part in parts(root, package, text) {
        let script = Script::parse(without_brackets(&inner(package, &part)))?;
        if let Some(filter) = Filter::of_directory(root, &script) {
            all.push(filter);
            continue;
        }
        let command = script.last;
        if !SELECTORS.contains(&command.program()) {
            return None;
        }
        let before = all.len();
        let mut words = command.arguments().iter();
        while let Some(word) = words.next() {
            let value = match word.split_once('=') {
                Some((flag, value)) if SELECTS.contains(&flag) => value,
                None if SELECTS.contains(&word.as_str()) => words.next()?,
                None if word == "workspace" && command.program() == "yarn" => words.next()?,
                _ => continue,
            };
            all.push(Filter::parse(value)?);
        }
        if all.len() == before {
            return None;
        }
    }
    Some(all)
}

/// Returns the text of the script that a command runs without doing more: that of `web` for `npm run web`.
fn inner(package: &Package, text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..MAX_DEPTH {
        let script = Script::parse(&text).filter(|script| script.is_alone);
        let targets = script.and_then(|script| started(package, &script.last));
        match targets.as_deref() {
            Some([StartTarget::Script(name, _)]) if package.scripts.contains_key(name) => {
                text.clone_from(&package.scripts[name]);
            }
            _ => break,
        }
    }
    text
}

/// Maximum number of scripts that are followed from a command.
const MAX_DEPTH: usize = 4;

/// Returns the directory below `dir` in which a command of a package manager runs: `cd web && npm start`,
/// `npm --prefix web start`.
fn directory<'d>(dir: &Dir<'d>, script: &Script) -> Option<Dir<'d>> {
    let words = script.last.arguments();
    let of_option = words.iter().enumerate().find_map(|(at, word)| {
        let (flag, value) = word.split_once('=').unwrap_or((word, ""));
        let is_place = PLACES[..4].contains(&flag);
        let next = || words.get(at + 1).map(String::as_str);
        is_place.then(|| Some(value).filter(|value| !value.is_empty()).or_else(next))?
    });
    let of_option = of_option.and_then(|path| {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        dir.below(path).filter(|_| !path.is_empty())
    });
    changed_dir(dir, script).or(of_option)
}

/// Returns the directories below `dir`, relative to it, to which the scripts of its package change:
/// `cd public/app && npm start`, `npm --prefix public/app start`.
pub(crate) fn started_dirs(dir: &Dir<'_>) -> Vec<String> {
    let Some(package) = Package::read(dir) else {
        return Vec::new();
    };
    let mut found: Vec<String> = Vec::new();
    for (name, text) in &package.scripts {
        if starts_else(name) {
            continue;
        }
        let texts = parts(dir, &package, text).into_iter();
        let scripts = texts.filter_map(|part| Script::parse(without_brackets(&part)));
        for script in scripts {
            let words = script.last.arguments();
            let is_start = |word: &String| is_start(word);
            if !MANAGERS.contains(&script.last.program()) || !words.iter().any(is_start) {
                continue;
            }
            let Some(place) = directory(dir, &script) else {
                continue;
            };
            let below = place.path().strip_prefix(dir.path()).unwrap_or_default();
            let below = below.trim_start_matches('/').to_owned();
            if !below.is_empty() && place.has("package.json") && !found.contains(&below) {
                found.push(below);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::checkout;

    #[test]
    fn filters_select_members_by_name_or_directory() {
        for (text, dir, name, expected) in [
            ("web", "apps/web", Some("web"), true),
            ("web", "apps/web", Some("@shop/web"), true),
            ("web", "apps/web", None, true),
            ("./apps/web", "apps/web", Some("x"), true),
            ("apps/*", "apps/web", Some("x"), true),
            ("@shop/*", "apps/web", Some("@shop/web"), true),
            ("@shop/web", "apps/site", Some("@shop/site"), false),
            ("web", "apps/web", Some("@shop/site"), false),
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(filter.selects(dir, name), expected, "{text} {dir} {name:?}");
        }
        for text in ["", "web...", "...[main]", "!web", "{apps/*}", "$APP"] {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
    }

    /// The names of the services that a bare `up` starts, and of the others.
    fn split(dev: &str, members: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let root = format!(
            "{{\"workspaces\": [\"apps/*\"], \"scripts\": {{\"dev\": {dev:?}, \"web\": \"turbo dev --filter=web\", \
             \"in:api\": \"cd apps/api && npm run dev\", \"in:web\": \"npm --prefix=apps/web run dev\"}}}}"
        );
        let members: Vec<(String, String)> = members
            .iter()
            .map(|(name, scripts)| {
                let package = format!("{{\"name\": \"@shop/{name}\", {scripts}}}");
                (format!("apps/{name}/package.json"), package)
            })
            .collect();
        let mut files = vec![("package.json", root.as_str()), ("package-lock.json", "{}")];
        files.extend(
            members
                .iter()
                .map(|(path, text)| (path.as_str(), text.as_str())),
        );
        files.push((
            "apps/api/server.js",
            "require('express')().listen(process.env.PORT)",
        ));
        let (on, off): (Vec<_>, Vec<_>) = checkout(&files, &["npm"])
            .services
            .into_iter()
            .partition(|one| !one.optional);
        let names = |all: Vec<DetectedService>| all.into_iter().map(|one| one.name).collect();
        (names(on), names(off))
    }

    #[test]
    fn members_that_dev_leaves_out_are_optional() {
        let vite = "\"scripts\": {\"dev\": \"vite\"}";
        let api =
            "\"scripts\": {\"dev\": \"node server.js\"}, \"dependencies\": {\"express\": \"5\"}";
        let all = [("web", vite), ("admin", vite), ("api", api)];
        let cases: [(&str, &[&str], &[&str]); 11] = [
            (
                "turbo dev --filter=web --filter=api",
                &["api", "web"],
                &["admin"],
            ),
            (
                "turbo run dev -F @shop/web -F @shop/api",
                &["api", "web"],
                &["admin"],
            ),
            (
                "concurrently \"npm run dev -w apps/web\" \"npm run dev -w @shop/api\"",
                &["api", "web"],
                &["admin"],
            ),
            // The page needs a server.
            ("turbo dev --filter=web", &["api", "web"], &["admin"]),
            ("turbo dev", &["admin", "api", "web"], &[]),
            // By directory, also through other scripts.
            ("cd apps/web && npm run dev", &["api", "web"], &["admin"]),
            ("run-p in:api in:web", &["api", "web"], &["admin"]),
            (
                "concurrently \"npm run in:api\" \"npm run in:web\"",
                &["api", "web"],
                &["admin"],
            ),
            ("cd apps && npm run dev", &["admin", "api", "web"], &[]),
            ("turbo dev --filter=web...", &["admin", "api", "web"], &[]),
            ("turbo dev --filter=other", &["admin", "api", "web"], &[]),
        ];
        for (dev, on, off) in cases {
            let (mut found, mut optional) = split(dev, &all);
            found.sort_unstable();
            optional.sort_unstable();
            assert_eq!(
                (found, optional),
                (
                    on.iter().map(ToString::to_string).collect(),
                    off.iter().map(ToString::to_string).collect()
                ),
                "{dev}"
            );
        }
    }

    #[test]
    fn a_script_leads_to_a_package_in_a_directory_that_is_not_searched() {
        let web = "{\"scripts\": {\"start\": \"react-scripts start\"}}";
        for (script, dir) in [
            ("cd public/app && npm run start", "public/app"),
            ("npm start --prefix ./static/app", "static/app"),
            (
                "concurrently \"npm --prefix=public/app start\" \"node x.js\"",
                "public/app",
            ),
            ("yarn --cwd a/b/c/d start", "a/b/c/d"),
        ] {
            let root = format!("{{\"scripts\": {{\"start:web\": {script:?}}}}}");
            let file = format!("{dir}/package.json");
            let detection = checkout(&[("package.json", &root), (&file, web)], &["npm"]);
            let found: Vec<_> = detection
                .services
                .iter()
                .map(|one| (one.dir.as_str(), one.optional))
                .collect();
            assert_eq!(found, [(dir, false)], "{script}");
        }
        // Neither what is built nor what is linted is a project.
        let root = "{\"scripts\": {\"a\": \"cd example && npm start\", \"b\": \"cd dist/web && npm start\", \
                    \"c\": \"cd a/b/c && npm run lint\", \"docs:dev\": \"cd d/e/f && npm start\"}}";
        let files = [
            ("package.json", root),
            ("example/package.json", web),
            ("dist/web/package.json", web),
            ("a/b/c/package.json", web),
            ("d/e/f/package.json", web),
        ];
        let detection = checkout(&files, &["npm"]);
        assert!(detection.services.is_empty(), "{:?}", detection.services);
    }
}
