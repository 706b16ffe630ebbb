//! The port of a process: from its probe, its command, its variables, or the package whose script it runs.

use indexmap::IndexMap;

use super::probe::with_placeholder;
use super::service::Conversion;
use crate::procfile::command::{Listens, listens};
use crate::procfile::moved::moved;
use crate::procfile::written::named_variable;
use crate::procfile::{of_source, package};
use crate::{DetectedPort, DetectedService};
use portway_project::kind::Kind;

impl Conversion<'_> {
    /// Returns the server of the package whose script its command runs.
    pub(super) fn server_of_package(
        &self,
        found: &DetectedService,
        command: &str,
    ) -> Option<DetectedService> {
        let dir = self.root.below(&found.dir)?;
        package::server(&dir, command, self.context)
    }

    /// Sets the command and the port of the server of a package.
    pub(super) fn with_server(
        &self,
        mut found: DetectedService,
        server: DetectedService,
        variables: &mut IndexMap<String, String>,
    ) -> DetectedService {
        let probes = [&self.process.readiness, &self.process.liveness];
        let probed = probes.into_iter().flatten().find_map(|probe| probe.port());
        let set = variables
            .shift_remove("PORT")
            .and_then(|port| port.parse().ok());
        found.port = match (server.port, probed.or(set)) {
            (Some(DetectedPort::Preferred(_) | DetectedPort::Chosen { .. }), Some(port)) => {
                Some(DetectedPort::Preferred(port))
            }
            (port, _) => port,
        };
        for name in server.env.keys() {
            variables.shift_remove(name);
        }
        found.kind = server.kind;
        found.dir = server.dir;
        found.command = server.command;
        found.prepare = server.prepare;
        found.prepare_dir = server.prepare_dir;
        found.env.extend(server.env);
        found.evidence.extend(server.evidence);
        found
    }

    /// Returns the port: from a probe, the command or a variable.
    pub(super) fn with_port(
        &self,
        mut found: DetectedService,
        command: &str,
        variables: &mut IndexMap<String, String>,
    ) -> DetectedService {
        let probes = [&self.process.readiness, &self.process.liveness];
        let probed = probes.into_iter().flatten().find_map(|probe| probe.port());
        let number = |text: &String| text.parse::<u16>().ok().filter(|port| *port > 0);
        let declared = variables.get("PORT").and_then(number);
        let default = named_variable(command).and_then(|(_, port)| port);
        if probed.is_some() && !found.kind.is_http() {
            found.kind = Kind::Http;
        }
        let prefer = |mut found: DetectedService, port: Option<u16>| {
            if let Some(port) = port {
                found.port = Some(DetectedPort::Preferred(port));
            }
            found
        };
        match (listens(command, found.kind), probed) {
            (Listens::WherePortSays(why), _) => {
                variables.shift_remove("PORT");
                prefer(found, probed.or(declared).or(default)).with_evidence(why)
            }
            (Listens::WhereVariableSays(variable), _) => {
                let declared = variables.shift_remove(&variable).as_ref().and_then(number);
                prefer(found, probed.or(declared).or(default))
                    .with_env(&variable, "{port}")
                    .with_evidence(format!("its program reads its port from {variable}"))
            }
            (Listens::At(port, why), _) if probed.is_none_or(|probed| probed == port) => {
                match moved(&found.command).filter(|moved| moved.port == port) {
                    Some(moved) => moved.apply(found),
                    None => {
                        found.port = Some(DetectedPort::Fixed(port));
                        found.with_evidence(why)
                    }
                }
            }
            (_, Some(port)) if with_placeholder(&found.command, port) != found.command => {
                found.command = with_placeholder(&found.command, port);
                found.port = Some(DetectedPort::Preferred(port));
                found.with_evidence(format!(
                    "its probe checks port {port}, which its command sets; Portway replaces it"
                ))
            }
            (_, Some(port)) => {
                let text = port.to_string();
                let variable = variables.iter().find(|(_, value)| **value == text);
                match variable.map(|(name, _)| name.clone()) {
                    Some(name) => {
                        variables.shift_remove(&name);
                        if name != "PORT" {
                            found = found.with_env(&name, "{port}");
                        }
                        prefer(found, Some(port)).with_evidence(format!(
                            "its probe checks port {port}, which {name} sets"
                        ))
                    }
                    None => {
                        found.port = Some(DetectedPort::Fixed(port));
                        found.with_evidence(format!(
                            "its probe checks port {port}, which Portway cannot change; use `$PORT` in its command to allow any port"
                        ))
                    }
                }
            }
            (_, None) if declared.is_some() => {
                variables.shift_remove("PORT");
                prefer(found, declared).with_evidence("its variable `PORT` contains a port")
            }
            (_, None) => {
                let dir = self.root.below(&found.dir);
                let of_source = dir.map(|dir| of_source(&dir, found.clone()));
                match of_source.filter(|found| found.port.is_some()) {
                    Some(found) => found,
                    None => found.without_port().with_evidence(
                        "neither its command nor a probe contains a port, so it has no port",
                    ),
                }
            }
        }
    }
}
