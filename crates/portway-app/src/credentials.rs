//! Gives services the addresses of the databases in containers, with user, password and database.

use std::path::Path;

use indexmap::IndexMap;
use portway_detect::compose;
use portway_project::credentials::{self, Credentials};
use portway_project::kind::Kind;
use portway_project::mapping::{Mapping, Part};
use portway_project::plan::identifier;
use portway_project::wiring::url;
use portway_project::{AssignedPorts, Plan, Wiring};

use crate::mapping::environment;

/// A variable, the value that Portway set without knowing the credentials, and the address of the database
/// that the service `of` runs.
struct Address {
    of: String,
    variable: String,
    plain: String,
    url: String,
}

/// Sets the usual variables, such as `DATABASE_URL`, and `NAME_URL` of each container with a database, where
/// neither the application nor the manifest has a value. `mappings` are those of the plan's services.
pub(crate) fn add(
    root: &Path,
    plan: &Plan,
    ports: &AssignedPorts,
    mappings: &IndexMap<String, Mapping>,
    wiring: &mut Wiring,
) {
    let containers = containers(root, plan);
    if containers.is_empty() {
        return;
    }
    let addresses = addresses(&containers, ports);
    let set = |env: &mut IndexMap<String, String>, is_free: &dyn Fn(&Address) -> bool| {
        for address in &addresses {
            let current = env.get(&address.variable);
            let is_own = current.is_some_and(|current| *current == address.plain);
            if is_own || (current.is_none() && is_free(address)) {
                env.insert(address.variable.clone(), address.url.clone());
            }
        }
    };
    for (service, launch) in &mut wiring.services {
        if containers.contains_key(service) {
            continue;
        }
        let own = plan.services.get(service).map(|planned| &planned.env);
        let mapping = mappings.get(service);
        let is_free = |address: &Address| {
            let name = address.variable.as_str();
            let mut in_use = mapping.into_iter().flat_map(|mapping| &mapping.in_use);
            let is_used = in_use.any(|one| one.name == name && !one.value.is_empty());
            let is_declared = own.is_some_and(|own| own.contains_key(name));
            let is_in_parts = mapping.is_some_and(|mapping| has_parts(mapping, &address.of));
            !is_used && !is_declared && !is_in_parts && environment(name).is_none()
        };
        set(&mut launch.env, &is_free);
    }
    set(&mut wiring.shared, &|address| {
        environment(&address.variable).is_none()
    });
}

/// Returns whether an application has a variable with the host of `service`, or one with its port beside one with
/// a host. It builds the address itself, with the driver that it uses, and a whole address would often override
/// that.
fn has_parts(mapping: &Mapping, service: &str) -> bool {
    mapping
        .variables
        .iter()
        .any(|variable| match &variable.value.parts[..] {
            [Part::Host { service: one }] => one == service,
            [Part::Port { service: one, .. }] => {
                let upper = variable.name.to_ascii_uppercase();
                let prefix = upper.strip_suffix("PORT");
                let is_host = |name: &str| {
                    let name = name.to_ascii_uppercase();
                    let last = prefix.and_then(|prefix| name.strip_prefix(prefix));
                    last.is_some_and(|last| ["HOST", "HOSTNAME", "SERVER"].contains(&last))
                };
                one == service && mapping.in_use.iter().any(|one| is_host(&one.name))
            }
            _ => false,
        })
}

/// Returns the services that run containers of databases, with their credentials.
fn containers(root: &Path, plan: &Plan) -> IndexMap<String, (Kind, Credentials)> {
    let services = plan.services.values().filter(|service| !service.map_env);
    let known = services.filter_map(|service| {
        let of = service.compose.as_ref()?;
        let found = compose::credentials(root, &of.file, &of.service)?;
        Some((service.name.clone(), found))
    });
    known.collect()
}

fn addresses(
    containers: &IndexMap<String, (Kind, Credentials)>,
    ports: &AssignedPorts,
) -> Vec<Address> {
    let mut addresses = Vec::new();
    for (service, (kind, credentials)) in containers {
        let Some(&port) = ports.of(service).first() else {
            continue;
        };
        // An address that two services could have is the user's choice.
        let is_only = |variable: &&&str| {
            let others = containers.iter().filter(|(other, _)| *other != service);
            let mut kinds = others.map(|(_, (kind, _))| *kind);
            !kinds.any(|kind| credentials::variables(kind).contains(variable))
        };
        let usual = credentials::variables(*kind).iter().filter(is_only);
        let own = format!("{}_URL", identifier(service).to_ascii_uppercase());
        for variable in usual.map(|name| (*name).to_owned()).chain([own]) {
            addresses.push(Address {
                of: service.clone(),
                variable,
                plain: url(*kind, port),
                url: credentials::url(*kind, port, credentials),
            });
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use portway_project::mapping::{AppVariable, MappedValue, MappedVariable, Origin, Place};

    use super::*;

    fn place() -> Place {
        Place {
            file: ".env".into(),
            line: 1,
        }
    }

    #[test]
    fn an_application_with_parts_of_the_address_builds_it_itself() {
        let host = Part::Host {
            service: "db".into(),
        };
        let port = Part::Port {
            service: "db".into(),
            name: None,
        };
        let url = Part::Url {
            service: "db".into(),
            name: None,
        };
        for (name, part, others, expected) in [
            ("POSTGRES_HOST", &host, &[][..], true),
            ("DB_PORT", &port, &["DB_HOST"], true),
            ("dbPort", &port, &["dbHost"], true),
            ("POSTGRES_PORT", &port, &["POSTGRES_SERVER"], true),
            // The port that a compose file publishes.
            ("DB_PORT", &port, &["POSTGRES_HOST"], false),
            ("DB_PORT", &port, &[], false),
            ("DATABASE_URL", &url, &["DB_HOST"], false),
        ] {
            let in_use = others.iter().map(|name| AppVariable {
                name: (*name).into(),
                value: "localhost".into(),
                place: place(),
                origin: Origin::File,
            });
            let mapping = Mapping {
                variables: vec![MappedVariable {
                    name: name.into(),
                    value: MappedValue {
                        parts: vec![part.clone()],
                    },
                    place: place(),
                    meaning: Vec::new(),
                }],
                in_use: in_use.collect(),
                ..Mapping::default()
            };
            assert_eq!(has_parts(&mapping, "db"), expected, "{name} {others:?}");
            assert!(!has_parts(&mapping, "other"), "{name}");
        }
    }
}
