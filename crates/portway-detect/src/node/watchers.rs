//! Compilers that watch the files of a package, for a server in another language: `rollup -c -w` beside Django.

use super::Project;
use super::manager::Managed;
use super::package::Package;
use super::search::Search;
use super::server::Server;
use super::starters::StartTarget;
use super::workspace;
use crate::{DetectContext, DetectedService, Dir};

/// Scripts that watch, the most likely first.
const SCRIPTS: [&str; 13] = [
    "dev",
    "start",
    "watch",
    "develop",
    "serve",
    "dev:assets",
    "watch:assets",
    "watch:dev",
    "dev:watch",
    "watchdev",
    "start:dev",
    "build:watch",
    "watch:build",
];

/// Names of directories below a server with the source of its pages.
const ASSETS: [&str; 18] = [
    "asset",
    "assets",
    "client",
    "css",
    "front",
    "front-end",
    "frontend",
    "javascript",
    "js",
    "resources",
    "src",
    "static_src",
    "tailwind",
    "theme",
    "ui",
    "web",
    "webapp",
    "webpack",
];

/// Programs that watch to run tests.
const TESTS: [&str; 7] = [
    "ava",
    "cypress",
    "jest",
    "karma",
    "mocha",
    "playwright",
    "vitest",
];

/// Frameworks that start such programs themselves.
const OWN_WATCHERS: [&str; 1] = ["phoenix"];

/// Maximum depth of scripts that start scripts.
const MAX_DEPTH: usize = 4;

/// Adds the programs that watch the packages in `dirs` without a server of their own, for a server in another
/// language that is beside or above them.
pub(crate) fn add_watchers(
    dirs: &[Dir<'_>],
    services: &mut Vec<DetectedService>,
    context: &DetectContext<'_>,
) {
    let mut found = Vec::new();
    for dir in dirs.iter().filter(|dir| dir.has("package.json")) {
        let serves_here = |one: &DetectedService| {
            one.dir == dir.path()
                && one
                    .evidence
                    .iter()
                    .any(|text| text.contains("package.json"))
        };
        let is_served = |one: &DetectedService| {
            let is_here = one.dir == dir.path();
            let is_near = || {
                let rest = match one.dir.as_str() {
                    "" => Some(dir.path()),
                    above => {
                        let below = dir.path().strip_prefix(above);
                        below.and_then(|rest| rest.strip_prefix('/'))
                    }
                };
                // Or beside it: `server` and `webapp`.
                let is_beside = !one.dir.is_empty() && above(&one.dir) == above(dir.path());
                let rest = rest.or_else(|| is_beside.then(|| dir.name()));
                rest.is_some_and(|rest| {
                    let mut parts = rest.split('/');
                    let is_named =
                        |part: &str| ASSETS.contains(&part.to_ascii_lowercase().as_str());
                    parts.any(is_named) || (!rest.contains('/') && !is_library(dir))
                })
            };
            let is_server =
                one.port.is_some() && !one.optional && !OWN_WATCHERS.contains(&one.framework);
            is_server && is_of_other_language(one) && (is_here || is_near())
        };
        if !services.iter().any(is_served)
            || services.iter().any(serves_here)
            || workspace::exclusion(dir).is_some()
        {
            continue;
        }
        let Some(package) = Package::read(dir) else {
            continue;
        };
        let search = Search::new(dir, &package);
        let watchers = SCRIPTS.iter().find_map(|script| {
            Some(of_script(&search, script)).filter(|watchers| !watchers.is_empty())
        });
        let Some(watchers) = watchers else {
            continue;
        };
        let project = Project {
            managed: Managed::of(dir, &package, context),
            dir,
            package,
            context,
        };
        found.extend(
            watchers
                .iter()
                .map(|server| project.finish(project.beside(server))),
        );
    }
    services.extend(found);
}

/// The directory above a path; empty for the root.
fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}

/// Returns whether the package in `dir` is for other packages, rather than for the pages of a server.
fn is_library(dir: &Dir<'_>) -> bool {
    const KEYS: [&str; 6] = ["bin", "exports", "files", "main", "module", "types"];
    let package = dir.json("package.json");
    package.is_none_or(|package| KEYS.iter().any(|key| package.get(key).is_some()))
}

/// Returns whether a server is no program of Node, which has its own scripts.
fn is_of_other_language(server: &DetectedService) -> bool {
    !server
        .evidence
        .iter()
        .any(|text| text.contains("package.json"))
}

/// Returns the commands of a script that watch, if it does nothing else.
fn of_script(search: &Search<'_, '_>, script: &str) -> Vec<Server> {
    let all = search.script(script, MAX_DEPTH);
    let is_test = |server: &Server| TESTS.contains(&server.simple.program());
    if !all.is_empty() {
        let is_whole = !all.iter().any(|server| server.serves() || is_test(server));
        return if is_whole { all } else { Vec::new() };
    }
    let target = StartTarget::Script(script.to_owned(), Vec::new());
    let one = search.beside(&target, script);
    one.filter(|server| server.watches() && !is_test(server))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    const DJANGO: [(&str, &str); 2] = [
        ("requirements.txt", "django\n"),
        (
            "manage.py",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
        ),
    ];

    fn services(package: &str, place: &str) -> Vec<(String, String, bool)> {
        let path = format!("{place}package.json");
        let mut files = DJANGO.to_vec();
        files.push((&path, package));
        let detection = checkout(&files, &["python3", "npm"]);
        let all = detection.services.into_iter();
        all.map(|one| (one.name, one.command, one.optional))
            .collect()
    }

    #[test]
    fn a_watcher_of_assets_runs_beside_the_server() {
        for (place, scripts, command) in [
            ("", "\"dev\": \"rollup -c -w\"", "npm run dev"),
            ("", "\"start\": \"webpack --watch\"", "npm run start"),
            (
                "",
                "\"dev\": \"webpack --mode development\", \"watch\": \"npm run dev -- --watch\"",
                "npm run watch",
            ),
            (
                "frontend/",
                "\"dev\": \"vite build --watch\"",
                "npm run dev",
            ),
            (
                "theme/static_src/",
                "\"dev\": \"tailwindcss -i in.css -o out.css -w\"",
                "npm run dev",
            ),
            (
                "assets/",
                "\"watch\": \"node build.mjs --watch\"",
                "npm run watch",
            ),
            ("", "\"watch\": \"gulp watch\"", "npm run watch"),
            (
                "editor/",
                "\"start\": \"rollup -c --watch\"",
                "npm run start",
            ),
        ] {
            let package = format!("{{\"scripts\": {{{scripts}}}}}");
            let found = services(&package, place);
            assert_eq!(found.len(), 2, "{scripts} {found:?}");
            assert_eq!(
                (found[1].1.as_str(), found[1].2),
                (command, false),
                "{scripts}"
            );
        }
    }

    #[test]
    fn a_watcher_may_be_beside_its_server() {
        let detection = checkout(
            &[
                ("server/requirements.txt", "flask\n"),
                (
                    "server/app.py",
                    "from flask import Flask\napp = Flask(__name__)\n",
                ),
                (
                    "webapp/package.json",
                    "{\"scripts\": {\"watchdev\": \"cross-env A=1 webpack --watch\"}}",
                ),
            ],
            &["python3", "npm"],
        );
        let dirs: Vec<&str> = detection
            .services
            .iter()
            .map(|one| one.dir.as_str())
            .collect();
        assert_eq!(dirs, ["server", "webapp"]);
    }

    #[test]
    fn several_watchers_are_several_services() {
        let package = "{\"scripts\": {\"dev\": \"run-p watch:*\", \
            \"watch:js\": \"esbuild a.js --watch\", \"watch:css\": \"sass --watch a:b\"}}";
        let found = services(package, "");
        let names: Vec<&str> = found.iter().map(|one| one.0.as_str()).collect();
        assert_eq!(names[1..], ["js", "css"], "{found:?}");
    }

    #[test]
    fn other_scripts_are_no_watchers_of_assets() {
        for (place, scripts) in [
            ("", "\"dev\": \"webpack\""),
            ("", "\"test\": \"jest --watch\""),
            ("", "\"watch\": \"jest --watch\""),
            ("packages/tool/", "\"dev\": \"tsc --watch\""),
            ("tool/", "\"dev\": \"tsc --watch\"}, \"bin\": {\"x\": \"y\""),
        ] {
            let package = format!("{{\"scripts\": {{{scripts}}}}}");
            assert_eq!(services(&package, place).len(), 1, "{scripts}");
        }
    }
}
