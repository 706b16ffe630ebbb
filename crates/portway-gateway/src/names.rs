//! Which name leads where.
//!
//! `INSTANCE.localhost` is an instance's main service, `SERVICE.INSTANCE.localhost` one of its
//! services. The registry gives no name to two instances, but a service's name may be what a
//! worktree's branch is called: then the instance has it, and that service is reached by its port
//! alone. A name never leads to one thing today and to another because of the order of starting.
//! The browser extension leads names and routes in the same way (`places.js` there).

use std::collections::HashMap;
use std::sync::Arc;

use portway_api::{GatewayStatus, InstanceStatus, ServiceStatus};
pub use portway_project::hostnames::{DOMAIN, GATEWAY_LABEL};
use portway_project::hostnames::{instance_host, service_host};

/// Where a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The instance's id.
    pub instance: String,
    /// The service, or `None` where the instance has no main one.
    pub service: Option<String>,
    /// Whether the name is the instance's own, or its main service's: there the instance's path
    /// routes count.
    pub main: bool,
}

/// The names of all instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    targets: HashMap<String, Arc<Target>>,
}

impl Names {
    /// The names of `instances`.
    pub fn new<'a>(instances: impl IntoIterator<Item = &'a InstanceStatus> + Clone) -> Self {
        let mut targets = HashMap::new();
        for instance in instances.clone() {
            let target = Target {
                instance: instance.id.clone(),
                service: instance.main.clone(),
                main: true,
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
                    main: instance.main.as_deref() == Some(&service.name),
                };
                targets
                    .entry(service_host(&service.name, &instance.name))
                    .or_insert(target.into());
            }
        }
        targets.remove(&instance_host(GATEWAY_LABEL));
        Self { targets }
    }

    /// Where `host` leads. It is in lower case and has no port.
    pub fn find(&self, host: &str) -> Option<&Arc<Target>> {
        self.targets.get(host)
    }

    /// The name by which a service is reached: the instance's own for its main service. `None`
    /// where it is reached by its port alone.
    pub fn name(&self, instance: &InstanceStatus, service: &str) -> Option<String> {
        let names = if instance.main.as_deref() == Some(service) {
            vec![
                instance_host(&instance.name),
                service_host(service, &instance.name),
            ]
        } else {
            vec![service_host(service, &instance.name)]
        };
        names.into_iter().find(|name| {
            self.find(name).is_some_and(|target| {
                target.instance == instance.id && target.service.as_deref() == Some(service)
            })
        })
    }
}

/// Fills in by what `gateway` serves each service: its URL by name, its fixed ports. `instances` are all that there
/// are: who has a name depends on who else is there.
pub fn fill_gateway_fields(instances: &mut [InstanceStatus], gateway: &GatewayStatus) {
    let names = Names::new(instances.iter());
    for instance in instances {
        for service in &mut instance.services {
            let forwards = gateway.forwards.iter();
            let here = forwards.filter(|one| {
                one.id == instance.id && one.service == service.name && one.trouble.is_none()
            });
            service.forwards = here.map(|one| one.port).collect();
        }
        let named: Vec<Option<String>> = instance
            .services
            .iter()
            .map(|service| names.name(instance, &service.name))
            .collect();
        for (service, name) in instance.services.iter_mut().zip(named) {
            service.named_url = name.map(|name| gateway.url(&name));
        }
    }
}

/// Whether a browser can speak with a service.
pub(crate) fn is_http(service: &ServiceStatus) -> bool {
    let url = service.url.as_deref();
    url.is_some_and(|url| url.starts_with("http://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{instance, service};
    use portway_api::ServiceState::Ready;

    fn leads(names: &Names, host: &str) -> Option<(String, Option<String>)> {
        let target = names.find(host)?;
        Some((target.instance.clone(), target.service.clone()))
    }

    fn to(instance: &str, service: &str) -> Option<(String, Option<String>)> {
        Some((instance.to_owned(), Some(service.to_owned())))
    }

    #[test]
    fn an_instance_and_each_of_its_services_have_a_name() {
        let jobi = instance(
            "jobi",
            Some("frontend"),
            vec![
                service("frontend", 5173, Ready),
                service("my_api", 9000, Ready),
            ],
        );
        let names = Names::new([&jobi]);
        assert_eq!(leads(&names, "jobi.localhost"), to("jobi", "frontend"));
        assert_eq!(
            leads(&names, "frontend.jobi.localhost"),
            to("jobi", "frontend")
        );
        assert_eq!(leads(&names, "my-api.jobi.localhost"), to("jobi", "my_api"));
        assert_eq!(leads(&names, "other.jobi.localhost"), None);
        assert_eq!(leads(&names, "jobi"), None);
        assert_eq!(
            names.name(&jobi, "frontend").as_deref(),
            Some("jobi.localhost")
        );
        assert_eq!(
            names.name(&jobi, "my_api").as_deref(),
            Some("my-api.jobi.localhost")
        );
    }

    #[test]
    fn what_speaks_no_http_has_none() {
        let mut redis = service("redis", 6379, Ready);
        redis.url = Some("redis://localhost:6379".into());
        let jobi = instance("jobi", None, vec![redis]);
        let names = Names::new([&jobi]);
        assert_eq!(leads(&names, "redis.jobi.localhost"), None);
        assert_eq!(
            leads(&names, "jobi.localhost"),
            Some(("jobi".to_owned(), None))
        );
        assert_eq!(names.name(&jobi, "redis"), None);
    }

    #[test]
    fn a_worktree_whose_branch_is_called_like_a_service_has_the_name() {
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
            assert_eq!(leads(&names, "api.jobi.localhost"), to("api.jobi", "api"));
            assert_eq!(names.name(&jobi, "api"), None);
        }
    }

    #[test]
    fn a_url_has_the_port_where_it_is_not_https_own() {
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
    fn the_gateways_own_name_is_nobody_elses() {
        let named = instance("portway", Some("web"), vec![service("web", 5173, Ready)]);
        let names = Names::new([&named]);
        assert_eq!(leads(&names, "portway.localhost"), None);
        assert_eq!(
            names.name(&named, "web").as_deref(),
            Some("web.portway.localhost")
        );
    }
}
