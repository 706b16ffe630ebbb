//! Packages, Dockerfiles and other manifests from which detection made no service, with the reason.

use std::collections::BTreeSet;

use super::skipped::{is_build, is_material, is_skipped};
use super::{DetectedService, Dir, Skipped, compose, node};

/// Maximum number of files that are listed.
const MAX_LISTED: usize = 100;

/// Maximum number of subdirectories of a skipped directory that are searched for manifests.
const MAX_SEARCHED: usize = 30;

/// Manifests of ecosystems other than Node and Python, and why they are passed over.
const MANIFESTS: [(&str, &str); 11] = [
    ("go.mod", "has no main package that serves HTTP"),
    (
        "composer.json",
        "belongs to no known framework, and no page is beside it",
    ),
    ("Gemfile", "belongs to no Rack application"),
    ("pom.xml", "names no framework that serves"),
    ("build.gradle", "names no framework that serves"),
    ("build.gradle.kts", "names no framework that serves"),
    (
        "deno.json",
        "has no task that serves, and no file beside it does",
    ),
    (
        "deno.jsonc",
        "has no task that serves, and no file beside it does",
    ),
    ("mix.exs", "has no endpoint of Phoenix"),
    ("project.json", "has no target that serves"),
    (
        "Cargo.toml",
        "has no binary that serves with a known framework",
    ),
];

/// Files that name the packages of a Python project.
const PYTHON: [&str; 5] = [
    "pyproject.toml",
    "requirements.txt",
    "Pipfile",
    "setup.py",
    "setup.cfg",
];

/// Manifests of Node and Python, which [`MANIFESTS`] does not contain.
const OTHER_MANIFESTS: [&str; 4] = [
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "Dockerfile",
];

/// Files of tools that start services in their own way.
const OF_OTHER_TOOLS: [(&str, &str); 6] = [
    ("Tiltfile", "Tilt"),
    ("skaffold.yaml", "Skaffold"),
    ("skaffold.yml", "Skaffold"),
    ("devspace.yaml", "DevSpace"),
    ("garden.yml", "Garden"),
    ("tmuxinator.yml", "tmuxinator"),
];

/// Returns the manifests in the searched `dirs` that belong to none of the services that run code of the
/// project.
pub(super) fn find(dirs: &[Dir<'_>], services: &[DetectedService]) -> Vec<Skipped> {
    let searched: BTreeSet<&str> = dirs.iter().map(Dir::path).collect();
    let mut all = Vec::new();
    for dir in dirs {
        let own = || services.iter().filter(|one| one.dir == dir.path());
        let prepares = services
            .iter()
            .any(|one| one.prepare_dir.as_deref() == Some(dir.path()));
        let mut add = |file: &str, why: String| {
            all.push(Skipped {
                file: dir.path_of(file),
                why,
            });
        };
        let names =
            |part: &str| own().any(|one| one.evidence.iter().any(|text| text.contains(part)));
        if !prepares
            && !names("package.json")
            && let Some(why) = node::reason(dir, services)
        {
            add("package.json", why);
        }
        if let Some(file) = dir.first_of(&PYTHON)
            && !own().any(|one| one.env.contains_key("PYTHONUNBUFFERED"))
        {
            let why = "names packages, but no file creates an application of a known framework";
            add(file, why.to_owned());
        }
        for (file, tool) in OF_OTHER_TOOLS.iter().filter(|(file, _)| dir.has(file)) {
            add(file, format!("is for {tool}, and Portway does not read it"));
        }
        if own().next().is_none() {
            for (file, why) in MANIFESTS.iter().filter(|(file, _)| dir.has(file)) {
                let is_workspace = *file == "Cargo.toml"
                    && dir
                        .read(file)
                        .is_some_and(|text| text.contains("[workspace]"));
                add(
                    file,
                    match is_workspace {
                        true => "is the root of a workspace, whose members are searched".to_owned(),
                        false => (*why).to_owned(),
                    },
                );
            }
            for file in dir
                .files()
                .filter(|name| name.ends_with(".csproj") || name.ends_with(".fsproj"))
            {
                add(file, "is no web project".to_owned());
            }
            let prefix = dir.path_of("");
            let is_below =
                |one: &DetectedService| !one.dir.is_empty() && one.dir.starts_with(&prefix);
            let is_run = |one: &DetectedService| compose::runs(one, dir.path());
            if !services.iter().any(|one| is_below(one) || is_run(one)) {
                for file in dir.files().filter(|name| is_dockerfile(name)) {
                    let why =
                        "builds an image, and Portway found no code beside it that runs directly";
                    add(file, why.to_owned());
                }
            }
        }
        for name in dir.dirs().filter(|name| is_skipped(name)) {
            all.extend(skipped_dir(dir, name, &searched));
        }
    }
    if all.len() > MAX_LISTED {
        let more = all.len() - MAX_LISTED;
        all.truncate(MAX_LISTED);
        all.push(Skipped {
            file: ".".into(),
            why: format!("has {more} more files that are passed over"),
        });
    }
    all
}

/// Returns whether a directory contains a manifest, so that it is detected or listed by itself.
pub(super) fn has_manifest(dir: &Dir<'_>) -> bool {
    let known = MANIFESTS.iter().map(|(file, _)| *file);
    let mut known = known.chain(OTHER_MANIFESTS).chain(PYTHON);
    known.any(|file| dir.has(file))
}

/// Returns the record of a directory that is not searched, if it contains projects. Members of workspaces in
/// it are `searched`.
fn skipped_dir(dir: &Dir<'_>, name: &str, searched: &BTreeSet<&str>) -> Option<Skipped> {
    let is_build = is_build(name);
    if !is_build && !is_material(name) {
        return None;
    }
    let sub = dir.sub(name)?;
    let manifest = |at: &Dir<'_>| {
        if searched.contains(at.path()) {
            return None;
        }
        let known = MANIFESTS.iter().map(|(file, _)| *file);
        let mut known = known.chain(OTHER_MANIFESTS);
        known.find(|file| at.has(file)).map(|file| at.path_of(file))
    };
    let below = || {
        let mut below = sub
            .dirs()
            .take(MAX_SEARCHED)
            .filter_map(|name| sub.sub(name));
        below.find_map(|at| manifest(&at))
    };
    let file = manifest(&sub).or_else(below)?;
    let place = file.rsplit_once('/').map_or("", |(place, _)| place);
    Some(Skipped {
        why: match is_build {
            true => format!("is below `{name}`, which is the output of a build"),
            false => format!(
                "is below `{name}`, which detection does not search; run `portway -C {place} plan` for it"
            ),
        },
        file,
    })
}

fn is_dockerfile(name: &str) -> bool {
    ["Dockerfile", "Containerfile"]
        .iter()
        .any(|known| name == *known || name.starts_with(&format!("{known}.")))
        || name.ends_with(".Dockerfile")
        || name.ends_with(".dockerfile")
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    #[test]
    fn every_manifest_without_a_service_has_a_reason() {
        let detection = checkout(
            &[
                ("package.json", "{\"workspaces\": [\"packages/*\"]}"),
                (
                    "packages/web/package.json",
                    "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}",
                ),
                (
                    "packages/ui/package.json",
                    "{\"scripts\": {\"build\": \"tsc\"}}",
                ),
                (
                    "packages/tool/package.json",
                    "{\"scripts\": {\"dev\": \"tsc --watch\"}}",
                ),
                ("jobs/requirements.txt", "requests\n"),
                ("infra/Dockerfile", "FROM scratch\n"),
                ("Tiltfile", "docker_build('x', '.')\n"),
                ("cli/go.mod", "module x\n"),
                ("cli/main.go", "package main\nfunc main() {}\n"),
                ("examples/one/package.json", "{}"),
                (
                    "dist-package/package.json",
                    "{\"scripts\": {\"start\": \"vite\"}}",
                ),
                ("other/portway.toml", "[project]\nname = \"other\"\n"),
                ("other/package.json", "{\"scripts\": {\"dev\": \"vite\"}}"),
            ],
            &["npm"],
        );
        let services: Vec<&str> = detection
            .services
            .iter()
            .map(|one| one.dir.as_str())
            .collect();
        assert_eq!(services, ["packages/web"]);
        let listed: Vec<String> = detection
            .passed_over
            .iter()
            .map(|one| format!("{} {}", one.file, one.why))
            .collect();
        assert_eq!(
            listed,
            [
                "other/portway.toml makes its directory a project of its own",
                "Tiltfile is for Tilt, and Portway does not read it",
                "dist-package/package.json is below `dist-package`, which is the output of a build",
                "examples/one/package.json is below `examples`, which detection does not search; run `portway -C examples/one plan` for it",
                "cli/go.mod has no main package that serves HTTP",
                "infra/Dockerfile builds an image, and Portway found no code beside it that runs directly",
                "jobs/requirements.txt names packages, but no file creates an application of a known framework",
                "packages/tool/package.json has the script `dev` (`tsc --watch`), which starts no server that Portway knows",
                "packages/ui/package.json has no script that starts a server",
            ]
        );
    }
}
