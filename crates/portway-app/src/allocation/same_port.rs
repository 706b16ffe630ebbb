//! Explains that two services need the same port.

use portway_api::ErrorCode;
use portway_detect::{DetectedPort, DetectedService};
use portway_project::manifest::{Manifest, Source};

use crate::error::CommandError;
use crate::project::Project;

/// Builds the error. `is_kept` is whether the first service is running on the port.
pub(super) fn error(
    project: &Project,
    port: u16,
    services: &[String; 2],
    is_kept: bool,
) -> CommandError {
    let [first, second] = services;
    let error = CommandError::new(
        ErrorCode::RangeFull,
        format!("`{first}` and `{second}` both need port {port}"),
    );
    if is_kept {
        return error
            .hint(format!("`{second}` {}", cause(project, second, port)))
            .hint(format!(
                "`{first}` is running on it: run `portway down`, then start the services again"
            ));
    }
    services
        .iter()
        .fold(error, |error, service| {
            error.hint(format!("`{service}` {}", cause(project, service, port)))
        })
        .hint("change one of them, or start only one: `--without` leaves out an optional service")
}

/// Says why a service can use only this port, with the file and the line that says so.
fn cause(project: &Project, service: &str, port: u16) -> String {
    match &project.found {
        Some(found) => {
            let mut services = found.services.iter();
            detected(services.find(|one| one.name == service), port)
        }
        None => written(&project.source, service, port),
    }
}

fn detected(service: Option<&DetectedService>, port: u16) -> String {
    let fixed = service.filter(|one| one.port == Some(DetectedPort::Fixed(port)));
    let is_cause = |text: &&String| text.contains(&format!("port {port}"));
    match fixed.and_then(|one| one.evidence.iter().find(is_cause)) {
        Some(evidence) => format!("can use no other port: {evidence}"),
        None => "can use no other port".to_owned(),
    }
}

fn written(source: &Source, service: &str, port: u16) -> String {
    let line = Manifest::parse(&source.file, &source.text)
        .ok()
        .and_then(|manifest| manifest.line_of(service));
    let name = source.file.file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    match line {
        Some(line) => format!("can use no other port than {port}: {name}:{line}"),
        None => format!("can use no other port than {port}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn names_the_line_of_the_manifest() {
        let source = Source {
            file: Path::new("/shop/portway.toml").to_owned(),
            text: "[services.web]\nport = 3000\ncommand = 'web'\n\n\
                   [services.api]\ncommand = 'api'\nport = '3000-3000'\n"
                .to_owned(),
        };
        assert_eq!(
            written(&source, "api", 3000),
            "can use no other port than 3000: portway.toml:5"
        );
        assert_eq!(
            written(&source, "other", 3000),
            "can use no other port than 3000"
        );
    }
}
