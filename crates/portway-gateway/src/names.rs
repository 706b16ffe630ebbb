//! Maps host names to instances and services.
//!
//! `INSTANCE.localhost` routes to an instance's main service, and `SERVICE.INSTANCE.localhost` to
//! one of its services. Instance names are unique, but a worktree's instance name can equal a
//! service's host name. The instance always gets the name then, independent of the start order, and
//! the service is available by its port only. The browser extension implements the same rules
//! (`resolve.js`).

use std::collections::HashMap;
use std::sync::Arc;

use portway_api::{GatewayStatus, InstanceStatus, ServiceStatus};
pub use portway_project::hostnames::{DOMAIN, GATEWAY_LABEL};
use portway_project::hostnames::{instance_host, service_host};

/// What a host name routes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The instance's id.
    pub instance: String,
    /// The service. `None` if the instance has no main service.
    pub service: Option<String>,
    /// Whether the name belongs to the instance itself or to its main service. The instance's path
    /// routes apply to these names only.
    pub is_main: bool,
}

/// The host names of all instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    targets: HashMap<String, Arc<Target>>,
}

impl Names {
    /// Assigns names to instances and their services.
    pub fn new<'a>(instances: impl IntoIterator<Item = &'a InstanceStatus> + Clone) -> Self {
        let mut targets = HashMap::new();
        for instance in instances.clone() {
            let target = Target {
                instance: instance.id.clone(),
                service: instance.main.clone(),
                is_main: true,
            };
            targets
                .entry(instance_host(&instance.name))
                .or_insert(target.into());
        }
        for instance in instances {
            for service in instance.services.iter().filter(|one| is_http(one)) {
                let target = Target {
                    instance: instance.id.clone(),
                    service: Some(service.name.clone()),
                    is_main: instance.main.as_deref() == Some(&service.name),
                };
                targets
                    .entry(service_host(&service.name, &instance.name))
                    .or_insert(target.into());
            }
        }
        targets.remove(&instance_host(GATEWAY_LABEL));
        Self { targets }
    }

    /// Resolves a host name in lower case and without port.
    pub fn resolve(&self, host: &str) -> Option<&Arc<Target>> {
        self.targets.get(host)
    }

    /// Returns the host name of a service. The main service has the name of its instance. Returns
    /// `None` if the service is available by its port only.
    pub fn name_of(&self, instance: &InstanceStatus, service: &str) -> Option<String> {
        let candidates = if instance.main.as_deref() == Some(service) {
            vec![
                instance_host(&instance.name),
                service_host(service, &instance.name),
            ]
        } else {
            vec![service_host(service, &instance.name)]
        };
        candidates.into_iter().find(|name| {
            self.resolve(name).is_some_and(|target| {
                target.instance == instance.id && target.service.as_deref() == Some(service)
            })
        })
    }
}

/// Sets the fields of each service that depend on the gateway: its URL by name and its fixed ports.
///
/// `instances` must contain all instances, because names depend on each other.
pub fn fill_gateway_fields(instances: &mut [InstanceStatus], gateway: &GatewayStatus) {
    let names = Names::new(instances.iter());
    for instance in instances {
        for service in &mut instance.services {
            let forwards = gateway.forwards.iter().filter(|one| {
                one.id == instance.id && one.service == service.name && one.trouble.is_none()
            });
            service.forwards = forwards.map(|one| one.port).collect();
        }
        let host_names: Vec<Option<String>> = instance
            .services
            .iter()
            .map(|service| names.name_of(instance, &service.name))
            .collect();
        for (service, host_name) in instance.services.iter_mut().zip(host_names) {
            service.named_url = host_name.map(|name| gateway.url(&name));
        }
    }
}

/// Whether a service speaks HTTP without TLS.
pub(crate) fn is_http(service: &ServiceStatus) -> bool {
    let url = service.url.as_deref();
    url.is_some_and(|url| url.starts_with("http://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{instance, service};
    use portway_api::ServiceState::Ready;

    fn resolve(names: &Names, host: &str) -> Option<(String, Option<String>)> {
        let target = names.resolve(host)?;
        Some((target.instance.clone(), target.service.clone()))
    }

    fn target(instance: &str, service: &str) -> Option<(String, Option<String>)> {
        Some((instance.to_owned(), Some(service.to_owned())))
    }

    #[test]
    fn assigns_names_to_instances_and_services() {
        let jobi = instance(
            "jobi",
            Some("frontend"),
            vec![
                service("frontend", 5173, Ready),
                service("my_api", 9000, Ready),
            ],
        );
        let names = Names::new([&jobi]);
        for (host, expected) in [
            ("jobi.localhost", target("jobi", "frontend")),
            ("frontend.jobi.localhost", target("jobi", "frontend")),
            ("my-api.jobi.localhost", target("jobi", "my_api")),
            ("other.jobi.localhost", None),
            ("jobi", None),
        ] {
            assert_eq!(resolve(&names, host), expected, "{host}");
        }
        for (service, expected) in [
            ("frontend", "jobi.localhost"),
            ("my_api", "my-api.jobi.localhost"),
        ] {
            assert_eq!(names.name_of(&jobi, service).as_deref(), Some(expected));
        }
    }

    #[test]
    fn assigns_no_name_to_services_without_http() {
        let mut redis = service("redis", 6379, Ready);
        redis.url = Some("redis://localhost:6379".into());
        let jobi = instance("jobi", None, vec![redis]);
        let names = Names::new([&jobi]);
        assert_eq!(resolve(&names, "redis.jobi.localhost"), None);
        assert_eq!(
            resolve(&names, "jobi.localhost"),
            Some(("jobi".to_owned(), None))
        );
        assert_eq!(names.name_of(&jobi, "redis"), None);
    }

    #[test]
    fn prefers_an_instance_to_a_service_with_the_same_name() {
        let jobi = instance(
            "jobi",
            Some("frontend"),
            vec![
                service("frontend", 5173, Ready),
                service("api", 9000, Ready),
            ],
        );
        let branch = instance("api.jobi", Some("api"), vec![service("api", 9001, Ready)]);
        for order in [[&jobi, &branch], [&branch, &jobi]] {
            let names = Names::new(order);
            assert_eq!(
                resolve(&names, "api.jobi.localhost"),
                target("api.jobi", "api")
            );
            assert_eq!(names.name_of(&jobi, "api"), None);
        }
    }

    #[test]
    fn omits_default_ports_from_urls() {
        for (port, tls_port, expected) in [
            (80, None, "http://jobi.localhost"),
            (7678, None, "http://jobi.localhost:7678"),
            (80, Some(443), "https://jobi.localhost"),
            (7678, Some(7679), "https://jobi.localhost:7679"),
        ] {
            let mut all = [instance(
                "jobi",
                Some("web"),
                vec![service("web", 5173, Ready)],
            )];
            let gateway = GatewayStatus {
                port,
                tls_port,
                forwards: Vec::new(),
                pid: 1,
                since: 0,
                version: String::new(),
            };
            fill_gateway_fields(&mut all, &gateway);
            assert_eq!(all[0].services[0].named_url.as_deref(), Some(expected));
        }
    }

    #[test]
    fn reserves_the_name_of_the_gateway() {
        let jobi = instance("portway", Some("web"), vec![service("web", 5173, Ready)]);
        let names = Names::new([&jobi]);
        assert_eq!(resolve(&names, "portway.localhost"), None);
        assert_eq!(
            names.name_of(&jobi, "web").as_deref(),
            Some("web.portway.localhost")
        );
    }
}
