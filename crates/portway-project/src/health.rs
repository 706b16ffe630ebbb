//! The health check of a running service.

use crate::plan::{PlannedService, Probe, ReadinessProbe};
use crate::wiring::{self, AssignedPorts};

/// One request to one port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The port.
    pub port: u16,
    /// What to request from it.
    pub target: HealthTarget,
    /// The URL of the request, for display.
    pub url: String,
}

/// What a health check requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthTarget {
    /// A path that the manifest declares, from `/` on.
    DeclaredPath(String),
    /// The path `/` of an HTTP service whose manifest declares no path. The service may not serve
    /// it.
    DefaultPath,
    /// A connection only, for a service that is not HTTP.
    Connection,
}

impl HealthCheck {
    /// The check of a service with these ports: its `health` path, otherwise its readiness path,
    /// otherwise `/`. `None` for a service without a port.
    pub fn new(service: &PlannedService, ports: &AssignedPorts) -> Option<Self> {
        let ports = ports.of(&service.name);
        let main = *ports.first()?;
        if let Some(path) = &service.health_path {
            return Some(Self::http(main, path));
        }
        if let Some(ReadinessProbe::Poll(Probe::Http { port, path })) = &service.readiness.probe {
            return Some(Self::http(ports.get(*port).copied().unwrap_or(main), path));
        }
        Some(if service.kind.is_http() {
            Self {
                target: HealthTarget::DefaultPath,
                ..Self::http(main, "/")
            }
        } else {
            Self {
                port: main,
                target: HealthTarget::Connection,
                url: wiring::url(service.kind, main),
            }
        })
    }

    fn http(port: u16, path: &str) -> Self {
        Self {
            port,
            target: HealthTarget::DeclaredPath(path.to_owned()),
            url: format!("http://localhost:{port}{path}"),
        }
    }

    /// The path to request; `None` for a service that is not HTTP.
    pub fn path(&self) -> Option<&str> {
        match &self.target {
            HealthTarget::DeclaredPath(path) => Some(path),
            HealthTarget::DefaultPath => Some("/"),
            HealthTarget::Connection => None,
        }
    }

    /// Whether a response with this status means that the service is healthy. A declared path must
    /// respond with a status below 400; elsewhere a status below 500 is enough.
    pub fn is_healthy(&self, status: u16) -> bool {
        match self.target {
            HealthTarget::DeclaredPath(_) => status < 400,
            HealthTarget::DefaultPath | HealthTarget::Connection => status < 500,
        }
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
        HealthCheck::new(&plan.services["a"], &assigned).map(|check| check.url)
    }

    #[test]
    fn uses_the_health_path_then_the_readiness_path_then_the_root() {
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
    fn uses_the_named_port_of_the_readiness_probe() {
        let body =
            "ports = { http = 9000, admin = 9100 }\nready = { http = '/up', port = 'admin' }";
        assert_eq!(
            url(body, &[9000, 9100]).as_deref(),
            Some("http://localhost:9100/up")
        );
    }

    #[test]
    fn the_default_path_may_respond_with_not_found() {
        let check = |target| HealthCheck {
            port: 9000,
            target,
            url: "http://localhost:9000/".into(),
        };
        let declared = check(HealthTarget::DeclaredPath("/".into()));
        let default = check(HealthTarget::DefaultPath);
        for (check, status, healthy) in [
            (&declared, 200, true),
            (&declared, 399, true),
            (&declared, 404, false),
            (&default, 404, true),
            (&default, 500, false),
        ] {
            assert_eq!(check.is_healthy(status), healthy, "{status}");
        }
    }
}
