//! Gives services the addresses of the databases in containers, with user, password and database.

use std::path::Path;

use indexmap::IndexMap;
use portway_detect::compose;
use portway_project::credentials::{self, Credentials};
use portway_project::kind::Kind;
use portway_project::mapping::Mapping;
use portway_project::plan::identifier;
use portway_project::wiring::url;
use portway_project::{AssignedPorts, Plan, Wiring};

use crate::mapping::environment;

/// A variable, the value that Portway set without knowing the credentials, and the address.
struct Address {
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
    let set = |env: &mut IndexMap<String, String>, is_free: &dyn Fn(&str) -> bool| {
        for address in &addresses {
            let current = env.get(&address.variable);
            let is_own = current.is_some_and(|current| *current == address.plain);
            if is_own || (current.is_none() && is_free(&address.variable)) {
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
        let is_free = |name: &str| {
            let mut in_use = mapping.into_iter().flat_map(|mapping| &mapping.in_use);
            let is_used = in_use.any(|one| one.name == name && !one.value.is_empty());
            let is_declared = own.is_some_and(|own| own.contains_key(name));
            !is_used && !is_declared && environment(name).is_none()
        };
        set(&mut launch.env, &is_free);
    }
    set(&mut wiring.shared, &|name| environment(name).is_none());
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
                variable,
                plain: url(*kind, port),
                url: credentials::url(*kind, port, credentials),
            });
        }
    }
    addresses
}
