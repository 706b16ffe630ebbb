//! How a service is asked whether it is well.

use crate::plan::PlannedService;
use crate::wiring::{self, AssignedPorts};

/// One question to one port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The port.
    pub port: u16,
    /// The path that should answer; `None` for a service that speaks no HTTP, whose port should
    /// accept a connection.
    pub path: Option<String>,
    /// Whether the manifest names the path. Nobody promised that there is anything at another.
    pub named: bool,
    /// Where that is.
    pub url: String,
}

impl HealthCheck {
    /// The check of a service that has these ports: its `health` path, else its readiness path,
    /// else `/`. `None` for a service without a port.
    pub fn of(service: &PlannedService, ports: &AssignedPorts) -> Option<Self> {
        let ports = ports.of(&service.name);
        let main = *ports.first()?;
        let http = |port: u16, path: &str| {
            let slash = if path.starts_with('/') { "" } else { "/" };
            let path = format!("{slash}{path}");
            Self {
                port,
                url: format!("http://localhost:{port}{path}"),
                path: Some(path),
                named: true,
            }
        };
        let spec = &service.spec;
        if let Some(path) = &spec.health {
            return Some(http(main, path.get_ref()));
        }
        if let Some(ready) = &spec.ready
            && let Some(path) = &ready.http
        {
            let is_named = |name: &str| {
                let has = |port: &crate::PlannedPort| port.name.as_deref() == Some(name);
                service.ports.iter().position(has)
            };
            let index = ready.port.as_deref().and_then(is_named).unwrap_or(0);
            return Some(http(ports.get(index).copied().unwrap_or(main), path));
        }
        Some(if service.kind.is_http() {
            Self {
                named: false,
                ..http(main, "/")
            }
        } else {
            Self {
                port: main,
                url: wiring::url(service.kind, main),
                path: None,
                named: false,
            }
        })
    }

    /// Whether this status of an answer means that the service is well: one below 400 or, at a path
    /// that nobody named, below 500.
    pub fn is_met_by(&self, status: u16) -> bool {
        status < if self.named { 400 } else { 500 }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Manifest, Plan};

    fn url(body: &str, ports: &[u16]) -> Option<String> {
        let text = format!("[services.a]\ncommand = 'a'\n{body}");
        let manifest = Manifest::parse(Path::new("portway.toml"), &text).unwrap();
        let plan = Plan::new(&manifest, &[]).unwrap();
        let mut assigned = AssignedPorts::default();
        assigned.0.insert("a".into(), ports.to_vec());
        HealthCheck::of(&plan.services["a"], &assigned).map(|check| check.url)
    }

    #[test]
    fn the_health_path_comes_before_the_readiness_path_and_that_before_the_root() {
        for (body, expected) in [
            ("port = 9000", "http://localhost:9000/"),
            (
                "port = 9000\nready = { http = '/up' }",
                "http://localhost:9000/up",
            ),
            (
                "port = 9000\nready = { http = 'up' }",
                "http://localhost:9000/up",
            ),
            (
                "port = 9000\nready = { http = '/up' }\nhealth = '/health'",
                "http://localhost:9000/health",
            ),
            ("port = 9000\nkind = 'redis'", "redis://localhost:9000"),
        ] {
            assert_eq!(url(body, &[9000]).as_deref(), Some(expected), "{body}");
        }
        assert_eq!(url("", &[]), None);
    }

    #[test]
    fn readiness_may_be_asked_on_a_named_port() {
        let body =
            "ports = { http = 9000, admin = 9100 }\nready = { http = '/up', port = 'admin' }";
        assert_eq!(
            url(body, &[9000, 9100]).as_deref(),
            Some("http://localhost:9100/up")
        );
    }

    #[test]
    fn at_a_path_that_nobody_named_any_answer_will_do() {
        let check = |named: bool| HealthCheck {
            port: 9000,
            path: Some("/".into()),
            named,
            url: "http://localhost:9000/".into(),
        };
        for (status, named, well) in [
            (200, true, true),
            (399, true, true),
            (404, true, false),
            (404, false, true),
            (500, false, false),
        ] {
            assert_eq!(check(named).is_met_by(status), well, "{status} {named}");
        }
    }
}
