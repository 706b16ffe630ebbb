//! Writes a compose file that gives `docker compose up` the ports and the project name of a checkout.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use portway_api::{ErrorCode, InstanceState, InstanceStatus};
use portway_detect::compose::{Published, PublishedFiles, PublishedService, published};
use portway_project::shell::quote;
use portway_project::{Plan, PlannedService, user_file};
use regex_lite::Regex;

use super::container::project_name;
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::{LoadedProject, Project};
use crate::wiring;

/// How the first line of a file that Portway wrote starts.
const MARK: &str = "# Written by `portway compose`";

/// The name of the file in the example, if it was not chosen.
const EXAMPLE: &str = "compose.portway.yaml";

/// An override for a checkout.
#[derive(Debug)]
pub struct ComposeOverride {
    /// The text of the file.
    pub text: String,
    /// Where it was written, if it was.
    pub file: Option<PathBuf>,
    /// The command that uses it, in `dir`.
    pub command: String,
    /// The directory for the command.
    pub dir: PathBuf,
    /// Whether the instance is running, so that its ports are in use.
    pub is_running: bool,
}

/// Makes an override for the checkout of `directory` with the ports of its services, and writes it to `output`,
/// if there is one. `file` is the compose file that it overrides, relative to the root.
///
/// # Errors
/// When the project cannot be used, it has no compose file, or `output` is a file that Portway did not write.
pub fn override_file(
    directory: Option<&Path>,
    file: Option<&str>,
    output: Option<&Path>,
) -> Result<ComposeOverride, CommandError> {
    let selection = Selection::default();
    let project = LoadedProject::load(directory, &selection)?.project;
    let files = files(&project, file)?;
    if let Some(output) = output {
        check_replaceable(output)?;
    }
    let status = wiring::detect(directory, &selection)?;
    let dir = project.checkout.root.join(&files.dir);
    let shown = match output {
        Some(output) => std::path::absolute(output).unwrap_or_else(|_| output.to_owned()),
        None => dir.join(EXAMPLE),
    };
    let command = command(&files, shown.strip_prefix(&dir).unwrap_or(&shown));
    let lines = files.services.iter().filter_map(|service| {
        let planned = planned(&project.plan, &files.file, &service.name);
        Some((service, publish(service, planned, &status)?))
    });
    let text = text(&status.name, &command, lines);
    if let Some(output) = output {
        fs::write(output, &text).map_err(|error| CommandError::file("write", output, error))?;
    }
    Ok(ComposeOverride {
        text,
        file: output.map(Path::to_owned),
        command,
        dir,
        is_running: status.state != InstanceState::Stopped,
    })
}

/// Returns the compose files that the override is for.
fn files(project: &Project, file: Option<&str>) -> Result<PublishedFiles, CommandError> {
    let root = &project.checkout.root;
    let services = project.plan.services.values();
    let named = services.filter_map(|service| Some(service.compose.as_ref()?.file.as_str()));
    let mut named: Vec<&str> = named.collect();
    named.sort_unstable();
    named.dedup();
    let file = match (file, named.as_slice()) {
        (Some(file), _) => Some(file),
        (None, [] | [_]) => named.first().copied(),
        (None, named) => {
            let message = format!(
                "the services use several compose files: {}",
                named.join(", ")
            );
            return Err(CommandError::new(ErrorCode::Usage, message)
                .hint(format!("select one: `portway compose --file {}`", named[0])));
        }
    };
    published(root, file).ok_or_else(|| {
        let message = match file {
            Some(file) => format!("`{file}` is not a compose file that can be read"),
            None => "this project has no compose file".to_owned(),
        };
        CommandError::new(ErrorCode::NotFound, message)
            .hint("name the file, relative to the project: `portway compose --file FILE`")
    })
}

/// Returns the service that runs a compose service: the one whose manifest says so, or the one with its name.
fn planned<'a>(plan: &'a Plan, file: &str, name: &str) -> Option<&'a PlannedService> {
    let runs = |one: &&PlannedService| {
        let compose = one.compose.as_ref();
        compose.is_some_and(|compose| compose.file == file && compose.service == name)
    };
    let by_name = || plan.services.get(name).filter(|one| one.compose.is_none());
    plan.services.values().find(runs).or_else(by_name)
}

/// Refuses to replace a file that Portway did not write.
fn check_replaceable(file: &Path) -> Result<(), CommandError> {
    match user_file::read_text(file) {
        Ok(text) if text.starts_with(MARK) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        _ => {
            let message = format!("`{}` exists, and Portway did not write it", file.display());
            Err(CommandError::new(ErrorCode::Refused, message)
                .location(file)
                .hint(format!("choose another file: `--output {EXAMPLE}`")))
        }
    }
}

/// Returns the command that uses the override.
fn command(files: &PublishedFiles, output: &Path) -> String {
    let output = output.display().to_string();
    let names = files.names.iter().chain([&output]);
    let names: String = names.map(|name| format!(" -f {}", quote(name))).collect();
    format!("docker compose{names} up")
}

/// Returns the entries of `ports` for a service, or `None` if nothing of it changes. The engine chooses the ports
/// on the host of which this checkout has none, so that two checkouts never publish the same one.
fn publish(
    service: &PublishedService,
    planned: Option<&PlannedService>,
    status: &InstanceStatus,
) -> Option<Vec<String>> {
    let ports = planned.and_then(|planned| status.service(&planned.name));
    let leased = |name: Option<&str>| {
        let mut all = ports?.ports.iter();
        let port = match name {
            Some(name) => all.find(|port| port.name.as_deref() == Some(name)),
            None => all.next(),
        };
        port.map(|port| port.port)
    };
    let command = planned.map_or("", |planned| planned.command.as_str());
    let mut entries = Vec::new();
    for (index, Published { container, .. }) in service.ports.iter().enumerate() {
        let host = match published_as(command, *container) {
            Some(name) => leased(name.as_deref()),
            // The code of this service runs directly, and its first port is the main one.
            None if index == 0 && !command.contains("compose run") => leased(None),
            None => None,
        };
        let host = host.map_or_else(String::new, |port| port.to_string());
        entries.push(format!("127.0.0.1:{host}:{container}"));
    }
    entries.extend(
        service
            .others
            .iter()
            .map(|port| format!("127.0.0.1::{port}")),
    );
    (!entries.is_empty() || service.has_container_name).then_some(entries)
}

/// Returns the name of the port that a command publishes for a port of the container: `Some(None)` is the main
/// one.
fn published_as(command: &str, container: u16) -> Option<Option<String>> {
    let published = Regex::new(r"\{(?:port|ports\.([A-Za-z0-9_-]+))\}:(\d+)").ok()?;
    let mut all = published.captures_iter(command);
    let found = all.find(|one| one[2].parse() == Ok(container))?;
    Some(found.get(1).map(|name| name.as_str().to_owned()))
}

fn text<'a>(
    instance: &str,
    command: &str,
    services: impl Iterator<Item = (&'a PublishedService, Vec<String>)>,
) -> String {
    let mut text = format!(
        "{MARK} for `{instance}`: the ports and the project name of this checkout.\n\
         # Use it after the other files; Compose 2.24.4 or newer reads it:\n\
         #   {command}\n\
         name: {}\n",
        project_name(instance)
    );
    let mut is_empty = true;
    for (service, entries) in services {
        if std::mem::take(&mut is_empty) {
            text.push_str("services:\n");
        }
        let _ = writeln!(text, "  {}:", yaml(&service.name));
        if service.has_container_name {
            text.push_str("    container_name: !reset null\n");
        }
        if !entries.is_empty() {
            text.push_str("    ports: !override\n");
        }
        for entry in entries {
            let _ = writeln!(text, "      - {}", yaml(&entry));
        }
    }
    text
}

/// Formats a text as a YAML scalar.
fn yaml(text: &str) -> String {
    let is_plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphabetic());
    match is_plain {
        true => text.to_owned(),
        // A JSON string is a YAML scalar, too.
        false => serde_json::Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use portway_project::Manifest;

    use super::*;

    #[test]
    fn ports_of_containers_are_found_in_their_command() {
        let command =
            "portway compose run -p {host}:{ports.main}:5672 -p {host}:{ports.management}:15672 mq";
        assert_eq!(published_as(command, 5672), Some(Some("main".to_owned())));
        assert_eq!(
            published_as(command, 15672),
            Some(Some("management".to_owned()))
        );
        assert_eq!(published_as(command, 1), None);
        assert_eq!(published_as("x {host}:{port}:80", 80), Some(None));
    }

    #[test]
    fn a_manifest_says_which_service_runs_a_compose_service() {
        let text = "[services.db]\ncommand = \"docker run -p {port}:5432 x\"\nport = 5432\n\
                    [services.api]\ncommand = \"x\"\nport = 8000\n\
                    compose = { file = \"c.yaml\", service = \"web\" }\n";
        let manifest = Manifest::parse(Path::new("/p/portway.toml"), text).unwrap();
        let plan = Plan::new(&manifest, &[]).unwrap();
        let name = |name: &str| planned(&plan, "c.yaml", name).map(|one| one.name.as_str());
        assert_eq!(name("web"), Some("api"));
        assert_eq!(name("db"), Some("db"));
        assert_eq!(name("api"), None);
        assert_eq!(name("other"), None);
    }

    #[test]
    fn only_a_file_of_portway_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("compose.override.yaml");
        assert!(check_replaceable(&file).is_ok());
        fs::write(&file, "services: {}\n").unwrap();
        let error = check_replaceable(&file).unwrap_err();
        assert_eq!(error.info.code, ErrorCode::Refused);
        fs::write(&file, text("shop", "docker compose up", std::iter::empty())).unwrap();
        assert!(check_replaceable(&file).is_ok());
        assert!(check_replaceable(temp.path()).is_err());
    }
}
