//! Compares the versions of Node, Python, Go and Rust that the files of a checkout require with the installed
//! ones, before anything is installed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use indexmap::IndexMap;
use portway_api::ErrorCode;
use portway_detect::toolchain::{Fit, Requirement, Tool, install_hint, tools_of};
use portway_project::Plan;
use portway_supervisor::program;

use crate::error::CommandError;
use crate::project::Project;
use crate::reporter::Reporter;

/// How long to wait for a program to print its version.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum number of bytes that such a program prints.
const MAX_OUTPUT: u64 = 4096;

/// The last minor version of Python 3 that is tried.
const LAST_MINOR: u32 = 15;

/// From this minor version on, Go downloads the version that a module requires.
const GO_DOWNLOADS: &str = ">=1.21";

/// Compares what the enabled services require with what is installed. A program that is not installed is no
/// part of this: the service that needs it says so.
///
/// # Errors
/// When an installed program is too old to run a service. Whether another version of Node works is not
/// certain, so it is a warning.
pub(crate) fn check(project: &Project, reporter: &dyn Reporter) -> Result<(), CommandError> {
    let Some(found) = &project.found else {
        return Ok(());
    };
    let root = &project.checkout.root;
    for requirement in &found.requirements {
        let mut services = requirement.services.iter();
        let Some(service) = services.find(|name| project.plan.services.contains_key(*name)) else {
            continue;
        };
        let dir = project.plan.services[service].working_dir(root);
        let Some((program, version, fit)) = installed(requirement, &dir) else {
            continue;
        };
        let Requirement { range, place, .. } = requirement;
        let name = requirement.tool.name();
        let message = format!(
            "`{service}` requires {name} {} ({place}), but `{program}` is {name} {version}",
            range.text()
        );
        let prepares = project.plan.services[service].prepare.is_some();
        if is_fatal(fit, requirement.tool, prepares) {
            return Err(CommandError::new(ErrorCode::Failed, message)
                .hint(way_out(requirement))
                .hint(format!(
                    "or run `portway init` and edit `portway.toml`, to use {name} {version} anyway"
                )));
        }
        if fit != Fit::Fits {
            reporter.warning(&message);
        }
    }
    Ok(())
}

/// Returns whether an installed program with another version ends the command before anything is prepared.
/// Whether another version of Node works is not certain; the step that installs packages refuses another one
/// of Python.
fn is_fatal(fit: Fit, tool: Tool, prepares: bool) -> bool {
    match (fit, tool) {
        (Fit::Fits, _) | (_, Tool::Node) => false,
        (Fit::TooOld, _) => true,
        (Fit::Other, Tool::Python) => prepares,
        (Fit::Other, _) => false,
    }
}

/// Returns how to get a version that fits.
fn way_out(requirement: &Requirement) -> String {
    let (name, range) = (requirement.tool.name(), requirement.range.text());
    let newest = requirement.range.minors(3, LAST_MINOR).into_iter().max();
    match newest.filter(|minor| requirement.tool == Tool::Python && *minor < LAST_MINOR) {
        Some(minor) => format!(
            "install Python {range}, for example with `uv python install 3.{minor}`, and put `python3.{minor}` into `PATH`"
        ),
        None => format!("install {name} {range} and put it into `PATH`"),
    }
}

/// Says which tools of the services are not installed, and how to get each of them.
pub(crate) fn missing_tools(plan: &Plan, is_installed: impl Fn(&str) -> bool) -> Vec<String> {
    let mut by_tool: IndexMap<&'static str, Vec<String>> = IndexMap::new();
    for service in plan.services.values() {
        let prepare = service.prepare.as_ref().map(|step| step.command.as_str());
        let commands = [Some(service.command.as_str()), prepare];
        for tool in commands.into_iter().flatten().flat_map(tools_of) {
            let services = by_tool.entry(tool).or_default();
            let name = format!("`{}`", service.name);
            if !services.contains(&name) {
                services.push(name);
            }
        }
    }
    by_tool.retain(|tool, _| !is_installed(tool));
    let missing = by_tool.into_iter().filter_map(|(tool, services)| {
        let hint = install_hint(tool)?;
        let services = services.join(", ");
        Some(format!(
            "`{tool}` is not installed, and runs {services}; {hint}"
        ))
    });
    missing.collect()
}

fn has_venv(dir: &Path) -> bool {
    let mut names = [".venv", "venv", "env"].iter();
    names.any(|name| dir.join(name).join("pyvenv.cfg").exists())
}

/// Returns the installed program that fits best, its version, and whether it fits.
fn installed(requirement: &Requirement, dir: &Path) -> Option<(String, String, Fit)> {
    let programs: Vec<(String, &str)> = match requirement.tool {
        Tool::Node => vec![("node".into(), "--version")],
        Tool::Go => vec![("go".into(), "version")],
        Tool::Rust => vec![("rustc".into(), "--version")],
        // A venv has the interpreter that created it.
        Tool::Python if has_venv(dir) => return None,
        Tool::Python => {
            let minors = requirement.range.minors(3, LAST_MINOR);
            let others = minors.iter().rev().map(|minor| format!("python3.{minor}"));
            let all = std::iter::once("python3".to_owned()).chain(others);
            all.map(|program| (program, "--version")).collect()
        }
    };
    let mut first = None;
    for (program, argument) in programs {
        let mut command = Command::new(&program);
        command.arg(argument).current_dir(dir);
        let output = program::output(command, TIMEOUT, MAX_OUTPUT).unwrap_or_default();
        let text = String::from_utf8_lossy(&output).into_owned();
        let Some(fit) = requirement.range.fit(&text) else {
            continue;
        };
        if requirement.tool == Tool::Go && downloads(&text) {
            return None;
        }
        let found = (program, number(&text), fit);
        if fit == Fit::Fits {
            return Some(found);
        }
        first.get_or_insert(found);
    }
    first
}

/// Returns whether this version of Go downloads the one that a module requires.
fn downloads(version: &str) -> bool {
    let range = portway_detect::toolchain::VersionRange::parse(GO_DOWNLOADS);
    range.and_then(|range| range.fit(version)) == Some(Fit::Fits)
}

/// Returns the version number in what a program printed.
fn number(text: &str) -> String {
    let start = text
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(text.len());
    let is_part = |c: &char| c.is_ascii_digit() || *c == '.';
    text[start..].chars().take_while(is_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_missing_tools_once_with_the_way_to_get_them() {
        let text = "[project]\nname = \"x\"\n\
                    [services.web]\nprepare = \"pnpm install\"\ncommand = \"pnpm dev\"\nport = 3000\n\
                    [services.docs]\ncommand = \"pnpm docs\"\nport = 3001\n\
                    [services.api]\ncommand = \"go run .\"\nport = 8000\n";
        let manifest =
            portway_project::manifest::Manifest::parse(Path::new("/x/portway.toml"), text);
        let plan = Plan::new(&manifest.unwrap(), &[]).unwrap();
        let all = missing_tools(&plan, |tool| tool == "go");
        assert_eq!(
            all,
            [
                "`pnpm` is not installed, and runs `web`, `docs`; run `corepack enable pnpm` or `npm \
              install --global pnpm`"
            ]
        );
    }

    #[test]
    fn a_python_that_does_not_fit_is_fatal_where_packages_are_installed() {
        for (fit, tool, prepares, expected) in [
            (Fit::Fits, Tool::Python, true, false),
            (Fit::TooOld, Tool::Python, false, true),
            (Fit::Other, Tool::Python, true, true),
            (Fit::Other, Tool::Python, false, false),
            (Fit::Other, Tool::Go, true, false),
            (Fit::TooOld, Tool::Node, true, false),
        ] {
            assert_eq!(is_fatal(fit, tool, prepares), expected, "{fit:?} {tool:?}");
        }
    }

    #[test]
    fn says_how_to_get_a_version_that_fits() {
        let requirement = |tool, range| Requirement {
            tool,
            range: portway_detect::toolchain::VersionRange::parse(range).unwrap(),
            place: String::new(),
            services: Vec::new(),
        };
        assert_eq!(
            way_out(&requirement(Tool::Python, ">=3.9,<3.11")),
            "install Python >=3.9,<3.11, for example with `uv python install 3.10`, and put `python3.10` into `PATH`"
        );
        assert_eq!(
            way_out(&requirement(Tool::Python, ">=3.12")),
            "install Python >=3.12 and put it into `PATH`"
        );
        assert_eq!(
            way_out(&requirement(Tool::Go, ">=1.30")),
            "install Go >=1.30 and put it into `PATH`"
        );
    }

    #[test]
    fn reads_version_numbers() {
        for (text, version) in [
            ("v20.20.2\n", "20.20.2"),
            ("Python 3.11.7\n", "3.11.7"),
            ("go version go1.19.8 linux/amd64", "1.19.8"),
            ("rustc 1.95.0-nightly (abc 2026)", "1.95.0"),
            ("none", ""),
        ] {
            assert_eq!(number(text), version);
        }
        assert!(downloads("go version go1.22.0 linux/amd64"));
        assert!(!downloads("go version go1.19.8 linux/amd64"));
    }
}
