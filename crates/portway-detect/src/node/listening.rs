//! The services of files that listen, with the port that their source names.

use super::Project;
use super::configured;
use super::entry::Entry;
use super::package::Package;
use super::script::SimpleCommand;
use super::source::Port;
use crate::{DetectedPort, DetectedService, variables};

impl Project<'_, '_> {
    pub(super) fn entry(&self, entry: &Entry) -> DetectedService {
        let port = self.context.port(entry.framework, entry.usual);
        let found =
            DetectedService::http(self.dir, entry.framework, "", port).with_kind(entry.kind);
        match entry.library {
            Some(library) => {
                // A project of Nx uses the packages of the root.
                let mut places = self.dir.upwards();
                let place = places.find(|at| Package::read(at).is_some_and(|one| one.has(library)));
                found.with_evidence(format!(
                    "`{library}` is a dependency in {}",
                    place.as_ref().unwrap_or(self.dir).path_of("package.json")
                ))
            }
            None => found,
        }
    }

    /// Sets the port that the source names, or a file from which `command` reads variables.
    pub(super) fn listening(
        &self,
        mut found: DetectedService,
        entry: &Entry,
        command: Option<&SimpleCommand>,
    ) -> DetectedService {
        let in_env_file =
            |variable: &str| configured::port_in_env_files(self.dir, command?, variable);
        match &entry.port {
            Some((Port::Reads { variable, usual }, place)) => {
                let configured = in_env_file(variable);
                let configured = configured.or_else(|| variables::port(self.dir, variable));
                let set = configured.as_ref().map(|(port, _)| *port).or(*usual);
                let default = match set {
                    Some(_) => None,
                    None => variables::default_port(self.dir, variable),
                };
                let default_port = default.as_ref().map(|(port, _)| *port);
                let usual = set.or(default_port).unwrap_or(entry.usual);
                found.port = Some(self.context.port(found.framework, usual));
                if let Some((port, file)) = configured {
                    found.is_port_written = true;
                    found = found.with_evidence(format!("{file} sets `{variable}` to {port}"));
                }
                if let Some((port, file)) = default {
                    found = found.with_evidence(format!("{file} has the default {port}"));
                }
                if variable != "PORT" {
                    let value = entry.template.as_deref().unwrap_or("{port}");
                    found.env.insert(variable.clone(), value.to_owned());
                }
                found.with_evidence(format!("{place} reads `{variable}`"))
            }
            Some((Port::Literal(port, line), place)) => {
                found.port = Some(DetectedPort::Fixed(*port));
                found.with_evidence(format!(
                    "{place}:{line} requires port {port}; read `process.env.PORT` there to allow any port"
                ))
            }
            None => {
                if let Some((port, file)) = in_env_file("PORT") {
                    found.port = Some(self.context.port(found.framework, port));
                    found.is_port_written = true;
                    return found.with_evidence(format!("{file} sets `PORT` to {port}"));
                }
                found.with_evidence("no file shows how it reads its port; Portway sets `PORT`")
            }
        }
    }
}
