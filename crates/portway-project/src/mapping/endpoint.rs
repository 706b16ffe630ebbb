//! The ports of a plan, as applications refer to them.

use crate::kind::Kind;
use crate::plan::{Plan, ServicePort};

/// One port of a service, and how applications refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The service.
    pub service: String,
    /// The port's name; `None` for the main port.
    pub name: Option<String>,
    /// The kind of the port.
    pub kind: Kind,
    /// The ports under which applications know it: see [`Plan::usual_ports`].
    pub usual: Vec<u16>,
    /// Host names of the service in a container network.
    pub hosts: Vec<String>,
    /// Its port in the container, if the service runs in one.
    pub container: Option<u16>,
    /// Whether its command or its variables make it speak HTTP without TLS there, whatever its files say.
    pub is_plain_http: bool,
}

/// The port of Kafka, which tells clients itself where to connect: whatever port they are given, they end
/// at the one that it advertises.
const KAFKA: u16 = 9092;

impl Endpoint {
    /// Returns whether any port of its host means it: code that runs directly has another port here than in
    /// its container.
    pub(super) fn has_any_port(&self) -> bool {
        self.container.is_none_or(|port| port == KAFKA)
    }

    /// How messages name it: the service, or the service and the port's name.
    pub(super) fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("`{}` ({name})", self.service),
            None => format!("`{}`", self.service),
        }
    }
}

/// Returns the port of the container that a command of `portway compose run` publishes as `placeholder`.
fn container_port(command: &str, placeholder: &str) -> Option<u16> {
    if !command.starts_with("portway compose run ") {
        return None;
    }
    let mut words = command.split_whitespace();
    words.find_map(|word| {
        let (before, container) = word.rsplit_once(':')?;
        let is_same = before.rsplit_once(':').map_or(before, |(_, port)| port) == placeholder;
        container.parse().ok().filter(|_| is_same)
    })
}

/// Returns whether a text tells a program to listen at an `http` URL with this placeholder:
/// `http://{host}:{port}`.
fn is_plain_http(text: &str, placeholder: &str) -> bool {
    let mut all = text.match_indices(placeholder).map(|(at, _)| &text[..at]);
    all.any(|before| {
        let start = before.rsplit(|c: char| c.is_whitespace() || "'\"=;,".contains(c));
        start.take(1).all(|url| url.starts_with("http://"))
    })
}

/// Returns the ports of all services of a plan.
pub fn endpoints(plan: &Plan) -> Vec<Endpoint> {
    let candidates = plan.usual_candidates();
    let mut endpoints = Vec::new();
    for service in plan.services.values() {
        let compose = service
            .compose
            .iter()
            .map(|compose| compose.service.clone());
        let hosts: Vec<String> = compose.chain([service.name.clone()]).collect();
        for (index, port) in service.ports.iter().enumerate() {
            let is_own = |of: &ServicePort<'_>| of.service == service.name && of.index == index;
            let usual = candidates
                .iter()
                .filter(|(_, candidates)| candidates.iter().any(is_own))
                .map(|(number, _)| *number)
                .collect();
            let placeholder = match &port.name {
                Some(name) => format!("{{ports.{name}}}"),
                None => "{port}".to_owned(),
            };
            let mut texts = service.env.values().chain([&service.command]);
            endpoints.push(Endpoint {
                is_plain_http: texts.any(|text| is_plain_http(text, &placeholder)),
                container: container_port(&service.command, &placeholder),
                service: service.name.clone(),
                name: port.name.clone().filter(|_| index > 0),
                kind: service.kind_of_port(index),
                usual,
                hosts: hosts.clone(),
            });
        }
    }
    endpoints
}

#[cfg(test)]
mod tests {
    use super::{container_port, is_plain_http};

    #[test]
    fn recognizes_urls_to_listen_at() {
        for (text, expected) in [
            ("http://{host}:{port}", true),
            ("https://{host}:{port}", false),
            ("x --bind 'http://127.0.0.1:{port}' -v", true),
            ("https://{host}:{port};http://{host}:{port}", true),
            ("http://localhost:5000 {port}", false),
            ("serve --port {port}", false),
        ] {
            assert_eq!(is_plain_http(text, "{port}"), expected, "{text}");
        }
    }

    #[test]
    fn reads_the_port_in_the_container() {
        let command = "portway compose run --publish {host}:{ports.main}:1080 --publish {host}:{ports.smtp}:1025 mail";
        assert_eq!(container_port(command, "{ports.smtp}"), Some(1025));
        assert_eq!(container_port(command, "{port}"), None);
        assert_eq!(
            container_port("portway compose run --publish {port}:80 web", "{port}"),
            Some(80)
        );
        assert_eq!(
            container_port("serve --listen {host}:{port}:80", "{port}"),
            None
        );
    }
}
