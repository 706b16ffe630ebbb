//! What the machine lacks to run a project, by rules over the plan, the project's own files, and the
//! output of its services. A project that the machine cannot run is not counted.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, Stdio};

use portway_api::{ProjectPlan, ServicePlan};
use serde_json::Value;

use super::versions::fulfills;
use crate::system::is_installed;

/// The minor versions of Python 3 that are looked for.
const PYTHON_MINORS: RangeInclusive<u32> = 8..=15;

/// Package managers that not every machine has.
const MANAGERS: [&str; 6] = ["pnpm", "yarn", "bun", "uv", "poetry", "pipenv"];

/// The versions of what this machine has; empty if it does not have it.
#[derive(Debug, Default)]
pub(super) struct Machine {
    node: String,
    python: String,
    /// Other versions of Python in `PATH`. Portway takes the first that fits.
    other_pythons: Vec<String>,
    go: String,
    ruby: String,
    has_engine: bool,
}

impl Machine {
    pub(super) fn read() -> Self {
        Self {
            node: version(&["node", "--version"]),
            python: version(&["python3", "--version"]).replace("Python ", ""),
            other_pythons: PYTHON_MINORS
                .map(|minor| version(&[&format!("python3.{minor}"), "--version"]))
                .map(|version| version.replace("Python ", ""))
                .filter(|version| !version.is_empty())
                .collect(),
            go: version(&["go", "version"]).replace("go version go", ""),
            ruby: version(&["ruby", "-e", "print RUBY_VERSION"]),
            has_engine: succeeds(&["docker", "info"])
                && succeeds(&["docker", "compose", "version"]),
        }
    }

    /// One line for the documentation.
    pub(super) fn describe(&self) -> String {
        let engine = if self.has_engine { "a" } else { "no" };
        let mut pythons = vec![self.python.as_str()];
        let others = self.other_pythons.iter().map(String::as_str);
        pythons.extend(others.filter(|other| *other != self.python));
        let managers = MANAGERS.iter().filter(|name| is_installed(name));
        let managers: String = managers.map(|name| format!("{name}, ")).collect();
        format!(
            "Node {}, Python {}, Go {}, Ruby {}, {managers}and {engine} container engine",
            self.node.trim_start_matches('v'),
            pythons.join(" and "),
            self.go.split(' ').next().unwrap_or_default(),
            self.ruby,
        )
    }
}

/// What the machine lacks for the services that a bare `up` starts.
pub(super) fn lacks(plan: &ProjectPlan, directory: &Path, machine: &Machine) -> Vec<String> {
    let mut lacks = Vec::new();
    for service in plan.services.iter().filter(|service| !service.optional) {
        let dir = directory.join(&service.dir);
        let own = service_lacks(service, machine).into_iter();
        for reason in own.chain(version_lacks(service, &dir, directory, machine)) {
            if !lacks.contains(&reason) {
                lacks.push(reason);
            }
        }
    }
    lacks
}

fn service_lacks(service: &ServicePlan, machine: &Machine) -> Vec<String> {
    let mut lacks: Vec<_> = service
        .evidence
        .iter()
        .filter_map(|line| line.strip_prefix("it requires `"))
        .filter_map(|rest| rest.strip_suffix("`, which is not installed"))
        .map(|program| format!("`{program}` is not installed"))
        .collect();
    let runs_container = service.command.contains("docker ") || service.command.contains("podman ");
    if runs_container && !machine.has_engine {
        lacks.push("no container engine is running".to_owned());
    }
    lacks
}

/// The versions that the project's files require, compared with those of the machine.
fn version_lacks(service: &ServicePlan, dir: &Path, root: &Path, machine: &Machine) -> Vec<String> {
    let text = format!(
        "{} {}",
        service.command,
        service.prepare.as_deref().unwrap_or_default()
    );
    let uses = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let mut required = Vec::new();
    if uses(&["npm ", "pnpm ", "yarn ", "npx ", "node "]) {
        for place in [dir, root] {
            required.push(("Node", machine.node.as_str(), engines(place)));
        }
    }
    if uses(&["python", ".venv/", "uv run"]) {
        for place in [dir, root] {
            required.push(("Python", machine.python.as_str(), requires_python(place)));
            required.push((
                "Python",
                machine.python.as_str(),
                first_line(place, ".python-version"),
            ));
        }
    }
    if uses(&["go run", "go build"]) {
        required.push((
            "Go",
            machine.go.as_str(),
            go_version(dir).or_else(|| go_version(root)),
        ));
    }
    if uses(&["bundle", "rails"]) {
        let pinned = first_line(dir, ".ruby-version").or_else(|| first_line(root, ".ruby-version"));
        required.push(("Ruby", machine.ruby.as_str(), pinned));
    }
    required
        .into_iter()
        .filter_map(|(name, version, requirement)| {
            let requirement = requirement?;
            let others = machine.other_pythons.iter().filter(|_| name == "Python");
            let fits = |version: &str| fulfills(version, &requirement);
            (!version.is_empty() && !fits(version) && !others.into_iter().any(|one| fits(one)))
                .then(|| format!("{name} {requirement} is required"))
        })
        .collect()
}

fn engines(dir: &Path) -> Option<String> {
    let text = fs::read_to_string(dir.join("package.json")).ok()?;
    let package: Value = serde_json::from_str(&text).ok()?;
    let required = package.get("engines")?.get("node")?.as_str()?;
    // npm only warns, so a newer minor version than a pinned one is fine.
    let is_pinned = required
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let major = required.split('.').next().unwrap_or_default();
    Some(if is_pinned { major } else { required }.to_owned())
}

fn requires_python(dir: &Path) -> Option<String> {
    let text = fs::read_to_string(dir.join("pyproject.toml")).ok()?;
    let project: toml::Table = toml::from_str(&text).ok()?;
    let standard = project
        .get("project")
        .and_then(|p| p.get("requires-python"));
    let poetry = || {
        let tool = project.get("tool")?.get("poetry")?;
        tool.get("dependencies")?.get("python")
    };
    Some(standard.or_else(poetry)?.as_str()?.to_owned())
}

fn first_line(dir: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(dir.join(name)).ok()?;
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(line.trim_start_matches("ruby-").to_owned())
}

fn go_version(dir: &Path) -> Option<String> {
    let text = fs::read_to_string(dir.join("go.mod")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("go "))?;
    Some(format!(">={}", line.trim()))
}

/// What a line of output says that the machine lacks: a host that it does not reach, or a version.
pub(super) fn lack_in_output(line: &str) -> Option<String> {
    if let Some(host) = unreachable_host(line) {
        return Some(format!("{host} is not reachable"));
    }
    let (_, rest) = line.split_once("requires at least Node.js v")?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    let version = rest[..end.unwrap_or(rest.len())].trim_matches('.');
    Some(format!("Node {version} is required"))
}

/// The host that output names as unreachable: this machine has no name for it. Hosts of this machine
/// do not count.
fn unreachable_host(output: &str) -> Option<String> {
    const SIGNS: [&str; 10] = [
        "getaddrinfo ENOTFOUND ",
        "getaddrinfo EAI_AGAIN ",
        "Could not resolve host: ",
        "Failed to resolve '",
        "UnknownHostException: ",
        "dial tcp: lookup ",
        "Unknown host ",
        "connect to ",
        "Failed to fetch https://",
        "error 6 while downloading https://",
    ];
    output.lines().find_map(|line| {
        let (at, sign) = SIGNS
            .iter()
            .find_map(|sign| Some((line.find(sign)?, sign)))?;
        let rest = &line[at + sign.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-.".contains(c)));
        let host = rest[..end.unwrap_or(rest.len())].trim_matches('.');
        let is_public =
            host.contains('.') && !host.starts_with("127.") && !host.ends_with(".localhost");
        is_public.then(|| host.to_owned())
    })
}

fn version(command: &[&str]) -> String {
    let output = Command::new(command[0]).args(&command[1..]).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}

fn succeeds(command: &[&str]) -> bool {
    Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_version_that_is_required() {
        let lack = |line| lack_in_output(line);
        let line = "warn: This version of pnpm requires at least Node.js v22.13";
        assert_eq!(lack(line).as_deref(), Some("Node 22.13 is required"));
        assert_eq!(lack("Node.js v20.20.2"), None);
        let line = "getaddrinfo ENOTFOUND api.example.io";
        assert_eq!(
            lack(line).as_deref(),
            Some("api.example.io is not reachable")
        );
    }

    #[test]
    fn names_the_host_that_is_not_reached() {
        for (line, host) in [
            (
                "Error: getaddrinfo ENOTFOUND api.example.io",
                Some("api.example.io"),
            ),
            (
                "curl: (6) Could not resolve host: a.example.com",
                Some("a.example.com"),
            ),
            (
                "wget: Failed to fetch https://b.example.com/a.zip",
                Some("b.example.com"),
            ),
            ("dial tcp: lookup db on 127.0.0.1:53", None),
            ("getaddrinfo ENOTFOUND db", None),
            ("getaddrinfo ENOTFOUND api.shop.localhost", None),
            ("ready", None),
        ] {
            assert_eq!(unreachable_host(line).as_deref(), host, "{line}");
        }
    }
}
