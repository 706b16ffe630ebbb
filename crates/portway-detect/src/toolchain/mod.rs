//! Versions of Node, Python, Go and Rust that the files of a checkout require.
//!
//! Input: the detected services and the files in their directories. Output: what each requires, with the
//! file that says so. The caller compares it with what is installed before it installs packages.

mod install;
mod preferred;
mod range;

use serde_json::Value;

pub use install::{install_hint, tools_of};
pub(super) use preferred::preferred_python;
pub use range::{Fit, VersionRange};

use super::{DetectedService, Dir};

/// A tool whose version the files of a project can require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// Node.
    Node,
    /// Python.
    Python,
    /// Go.
    Go,
    /// Rust.
    Rust,
}

/// A version that a file requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The tool.
    pub tool: Tool,
    /// The versions that fit.
    pub range: VersionRange,
    /// Where it is required: "`engines` in web/package.json".
    pub place: String,
    /// The services that need it.
    pub services: Vec<String>,
}

impl Tool {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::Rust => "Rust",
        }
    }
}

/// Returns what the services require, and adds it to their evidence.
pub(super) fn require(root: &Dir<'_>, services: &mut [DetectedService]) -> Vec<Requirement> {
    let mut all: Vec<Requirement> = Vec::new();
    for service in services {
        let (Some(tool), Some(dir)) = (tool(service), root.below(&service.dir)) else {
            continue;
        };
        if tool == Tool::Python
            && let Some((minor, place)) = preferred_python(&dir)
        {
            service
                .evidence
                .push(format!("it is developed with Python 3.{minor} ({place})"));
        }
        let Some((text, place)) = required(&dir, tool) else {
            continue;
        };
        let Some(range) = VersionRange::parse(&text) else {
            continue;
        };
        let name = tool.name();
        service
            .evidence
            .push(format!("it requires {name} {} ({place})", range.text()));
        let known = all
            .iter_mut()
            .find(|one| one.place == place && one.tool == tool);
        match known {
            Some(known) => known.services.push(service.name.clone()),
            None => all.push(Requirement {
                tool,
                range,
                place,
                services: vec![service.name.clone()],
            }),
        }
    }
    all
}

/// The tool that runs a service.
fn tool(service: &DetectedService) -> Option<Tool> {
    let starts = |programs: &[&str]| {
        let commands = [Some(&service.command), service.prepare.as_ref()];
        commands.into_iter().flatten().any(|command| {
            let program = command.split_whitespace().next().unwrap_or("");
            programs.contains(&program)
        })
    };
    // uv installs a Python that fits.
    if service.env.contains_key("PYTHONUNBUFFERED") && !starts(&["uv"]) {
        return Some(Tool::Python);
    }
    if starts(&["npm", "pnpm", "yarn", "corepack", "node", "npx"]) {
        return Some(Tool::Node);
    }
    if starts(&["go"]) {
        return Some(Tool::Go);
    }
    starts(&["cargo"]).then_some(Tool::Rust)
}

/// Returns the versions that the closest file requires, and where.
fn required(dir: &Dir<'_>, tool: Tool) -> Option<(String, String)> {
    dir.upwards().find_map(|at| match tool {
        Tool::Node => node(&at),
        Tool::Python => python(&at),
        Tool::Go => go(&at),
        Tool::Rust => rust(&at),
    })
}

fn node(dir: &Dir<'_>) -> Option<(String, String)> {
    let package = dir.json("package.json").unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let file = dir.path_of("package.json");
    if let Some(engines) = text(&package["engines"]["node"]) {
        return Some((engines, format!("`engines` in {file}")));
    }
    if let Some(version) = text(&package["volta"]["node"]) {
        return Some((at_least(&version), format!("`volta` in {file}")));
    }
    let pinned = pinned(dir, &[".nvmrc", ".node-version"], &["nodejs", "node"])?;
    Some((at_least(&pinned.0), pinned.1))
}

/// Returns the versions of Python that the files in `dir` require, and where.
pub(super) fn python(dir: &Dir<'_>) -> Option<(String, String)> {
    let text = |value: Option<&toml::Value>| value.and_then(toml::Value::as_str).map(str::to_owned);
    if let Some(table) = dir.toml("pyproject.toml") {
        let file = dir.path_of("pyproject.toml");
        let project = table
            .get("project")
            .and_then(|one| one.get("requires-python"));
        if let Some(range) = text(project) {
            return Some((range, format!("`requires-python` in {file}")));
        }
        let poetry = table.get("tool").and_then(|tool| tool.get("poetry"));
        let python = poetry
            .and_then(|one| one.get("dependencies"))
            .and_then(|all| all.get("python"));
        if let Some(range) = text(python) {
            return Some((range, format!("`python` in {file}")));
        }
    }
    if let Some(table) = dir.toml("Pipfile") {
        let requires = table.get("requires");
        let version = requires.and_then(|one| one.get("python_version"));
        if let Some(version) = text(version) {
            return Some((
                at_least(&version),
                format!("`python_version` in {}", dir.path_of("Pipfile")),
            ));
        }
    }
    let (version, place) = pinned(dir, &[".python-version"], &["python"])?;
    Some((at_least(&version), place))
}

fn go(dir: &Dir<'_>) -> Option<(String, String)> {
    let text = dir.read("go.mod")?;
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("go "))?;
    Some((
        at_least(version.trim()),
        format!("`go` in {}", dir.path_of("go.mod")),
    ))
}

fn rust(dir: &Dir<'_>) -> Option<(String, String)> {
    let table = dir.toml("Cargo.toml")?;
    let package = table
        .get("package")
        .or_else(|| table.get("workspace")?.get("package"))?;
    let version = package.get("rust-version")?.as_str()?;
    Some((
        at_least(version),
        format!("`rust-version` in {}", dir.path_of("Cargo.toml")),
    ))
}

/// Returns the version in a file that pins one, or in `.tool-versions` under one of these names.
fn pinned(dir: &Dir<'_>, files: &[&str], names: &[&str]) -> Option<(String, String)> {
    if let Some(file) = dir.first_of(files) {
        let version = dir.read(file)?.lines().next()?.trim().to_owned();
        return Some((version, dir.path_of(file)));
    }
    let text = dir.read(".tool-versions")?;
    let version = text.lines().find_map(|line| {
        let (name, version) = line.trim().split_once(char::is_whitespace)?;
        names
            .contains(&name)
            .then(|| version.split_whitespace().next())?
    })?;
    Some((version.to_owned(), dir.path_of(".tool-versions")))
}

/// A pinned version is the one that the project is developed with. A newer one nearly always works, an
/// older one often does not: its patch level does not count.
fn at_least(version: &str) -> String {
    let version = version.trim_start_matches('v');
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) => format!(">={major}.{minor}"),
        _ => format!(">={version}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    fn places(files: &[(&str, &str)], programs: &[&str]) -> Vec<String> {
        let all = checkout(files, programs).requirements;
        let shown = all
            .iter()
            .map(|one| format!("{} {} {}", one.tool.name(), one.range.text(), one.place));
        shown.collect()
    }

    #[test]
    fn finds_what_files_require() {
        let vite = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}, \"engines\": {\"node\": \"^20.19 || >=22\"}}";
        let plain = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}";
        let main = ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n");
        let go = "package main\nfunc main() { http.ListenAndServe(\":8080\", nil) }";
        for (files, expected) in [
            (
                &[("web/package.json", vite)][..],
                &["Node ^20.19 || >=22 `engines` in web/package.json"][..],
            ),
            (
                &[("web/package.json", plain), (".nvmrc", "v22.3.0\n")],
                &["Node >=22.3 .nvmrc"],
            ),
            (&[("package.json", plain), (".nvmrc", "lts/*\n")], &[]),
            (
                &[
                    ("package.json", plain),
                    (".tool-versions", "nodejs 21.1.0\n"),
                ],
                &["Node >=21.1 .tool-versions"],
            ),
            (
                &[
                    main,
                    (
                        "pyproject.toml",
                        "[project]\nname = \"x\"\nrequires-python = \">=3.12,<4\"\ndependencies = [\"fastapi\"]\n",
                    ),
                ],
                &["Python >=3.12,<4 `requires-python` in pyproject.toml"],
            ),
            (
                &[
                    main,
                    (
                        "pyproject.toml",
                        "[tool.poetry.dependencies]\npython = \"^3.11\"\nfastapi = \"*\"\n",
                    ),
                ],
                &["Python ^3.11 `python` in pyproject.toml"],
            ),
            (
                &[
                    main,
                    ("requirements.txt", "fastapi\n"),
                    (".python-version", "3.12.1\n"),
                ],
                &["Python >=3.12 .python-version"],
            ),
            (
                &[("go.mod", "module x\n\ngo 1.22.3\n"), ("main.go", go)],
                &["Go >=1.22 `go` in go.mod"],
            ),
        ] {
            assert_eq!(places(files, &["npm", "python3", "go"]), expected);
        }
        // uv installs a Python that fits.
        let uv = [
            main,
            (
                "pyproject.toml",
                "[project]\nname = \"x\"\nrequires-python = \">=3.13\"\ndependencies = [\"fastapi\"]\n",
            ),
            ("uv.lock", ""),
        ];
        assert!(places(&uv, &["uv"]).is_empty());
    }
}
