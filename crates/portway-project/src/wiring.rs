//! The wiring: commands, environments and `.ports.json` of an instance, from its plan and its ports.
//!
//! One function builds all of it, so that `portway env`, `.ports.json` and the environments of the
//! processes always agree.

mod lan;
mod values;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use portway_api::{GatewayPorts, UsualPort};

use crate::checkout::Checkout;
use crate::database::DatabaseSetup;
use crate::hostnames;
use crate::kind::Kind;
use crate::mapping::Mapping;
use crate::plan::{Plan, PlannedService, Probe, ReadinessProbe, identifier};

use values::Values;

/// The address that services bind.
pub const HOST: &str = "127.0.0.1";

/// Ports whose pages may always call a backend, in addition to those of the frontends. Older
/// setups use them.
const COMPATIBLE_ORIGINS: [u16; 2] = [5173, 3000];

/// The variable with the origins that may call a backend.
pub(crate) const CORS_ORIGINS: &str = "CORS_ORIGINS";

/// The variable with a host name that Vite accepts in addition to `localhost` and addresses.
const VITE_ALLOWED_HOST: &str = "__VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS";

/// The ports assigned to each service, in the order of [`PlannedService::ports`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssignedPorts(pub IndexMap<String, Vec<u16>>);

impl AssignedPorts {
    /// The ports of a service, the main port first; empty if it has none.
    pub fn of(&self, service: &str) -> &[u16] {
        self.0.get(service).map_or(&[], Vec::as_slice)
    }

    /// Replaces one port of a service.
    pub fn replace(&mut self, service: &str, from: u16, to: u16) {
        for port in self.0.get_mut(service).into_iter().flatten() {
            if *port == from {
                *port = to;
            }
        }
    }
}

/// The configuration of all services of one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Wiring {
    /// Variables that are the same for every service and for the user's shell.
    pub shared: IndexMap<String, String>,
    /// How to start each service.
    pub services: IndexMap<String, Launch>,
    /// The databases that services declare, with expanded placeholders.
    pub databases: IndexMap<String, DatabaseSetup>,
    /// The keys of `.ports.json` that Portway owns, in their order.
    pub ports_json: serde_json::Map<String, serde_json::Value>,
}

/// How to start one service. If two values are equal, nothing the service receives has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The shell command.
    pub command: String,
    /// The prepare step.
    pub prepare: Option<PrepareStep>,
    /// The shell command of the readiness probe.
    pub readiness_command: Option<String>,
    /// The shell command of the liveness probe.
    pub liveness_command: Option<String>,
    /// The directory in which the command runs.
    pub dir: PathBuf,
    /// Variables in addition to Portway's own environment.
    pub env: IndexMap<String, String>,
}

/// What the wiring depends on in addition to the plan, the ports and the checkout.
#[derive(Clone, Copy, Debug)]
pub struct WiringInput<'a> {
    /// The instance's name.
    pub instance: &'a str,
    /// The variables of each service's `env_file`s.
    pub env_files: &'a IndexMap<String, IndexMap<String, String>>,
    /// The mapping of each service's own variables.
    pub mappings: &'a IndexMap<String, Mapping>,
    /// The variables that make programs trust the gateway's certificates; a file overrides them.
    pub trust: &'a IndexMap<String, String>,
    /// The gateway that serves the host names, if there is one.
    pub gateway: Option<&'a GatewayPorts>,
    /// The ports inside the instance's own network, if it has one (see [`Plan::inner_ports`]). What a
    /// service binds is one of these. All URLs have the ports of the host, which are reachable inside,
    /// too.
    pub inner: Option<&'a AssignedPorts>,
}

/// A command that runs before a service starts. A step that is equal for several services runs
/// once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepareStep {
    /// The shell command.
    pub command: String,
    /// The directory in which it runs.
    pub dir: PathBuf,
}

impl Wiring {
    /// Builds the wiring.
    pub fn new(
        plan: &Plan,
        ports: &AssignedPorts,
        checkout: &Checkout,
        input: &WiringInput<'_>,
    ) -> Self {
        let mut shared = IndexMap::new();
        for service in plan.services.values() {
            peer_variables(service, ports, &mut shared);
        }
        let origins = cors_origins(plan, ports, input.instance, input.gateway);
        shared.insert(CORS_ORIGINS.into(), origins.join(","));
        shared.insert("PORTWAY_PROJECT".into(), plan.project.clone());
        shared.insert("PORTWAY_INSTANCE".into(), input.instance.to_owned());
        shared.insert("PORTWAY_ID".into(), checkout.id.clone());
        if let Some(branch) = checkout.branch() {
            shared.insert("PORTWAY_BRANCH".into(), branch.to_owned());
        }
        let values = Values {
            plan,
            ports,
            inner: input.inner,
            instance: input.instance,
            branch: checkout.branch(),
            origins: &origins,
        };
        let services = plan
            .services
            .values()
            .map(|service| {
                let file = input.env_files.get(&service.name);
                let mapping = input.mappings.get(&service.name);
                let mut launch = launch(&values, service, &checkout.root, &shared, file, mapping);
                for (name, value) in input.trust {
                    let entry = launch.env.entry(name.clone());
                    entry.or_insert_with(|| value.clone());
                }
                (service.name.clone(), launch)
            })
            .collect();
        shared.extend(input.trust.clone());
        Self {
            shared,
            services,
            databases: values.databases(),
            ports_json: ports_json(plan, ports),
        }
    }
}

/// The URL of a port of a service of this kind.
pub fn url(kind: Kind, port: u16) -> String {
    format!("{}://localhost:{port}", kind.scheme())
}

/// The usual ports of HTTP services (see [`Plan::usual_ports`]), with the ports that these have in
/// this instance.
pub fn usual_ports(plan: &Plan, ports: &AssignedPorts) -> Vec<UsualPort> {
    let known = plan.usual_ports().into_iter().filter_map(|(port, of)| {
        let kind = plan.services.get(of.service)?.kind_of_port(of.index);
        let actual = *ports.of(of.service).get(of.index)?;
        kind.is_http().then(|| UsualPort {
            port,
            service: of.service.to_owned(),
            actual,
        })
    });
    known.collect()
}

/// The ports of a service with their suffix in names, which is empty for the main port and `_NAME` for
/// others, and their kind.
fn suffixed_ports<'a>(
    service: &'a PlannedService,
    ports: &'a AssignedPorts,
) -> impl Iterator<Item = (String, Kind, u16)> + 'a {
    let assigned = ports.of(&service.name).iter().copied();
    service
        .ports
        .iter()
        .zip(assigned)
        .enumerate()
        .map(|(index, (port, number))| {
            let suffix = match &port.name {
                Some(name) if index > 0 => format!("_{}", identifier(name)),
                _ => String::new(),
            };
            (suffix, service.kind_of_port(index), number)
        })
}

/// Adds `NAME_PORT`, `NAME_HOST` and `NAME_URL`, and `VITE_NAME_URL` for an HTTP service.
fn peer_variables(
    service: &PlannedService,
    ports: &AssignedPorts,
    variables: &mut IndexMap<String, String>,
) {
    for (suffix, kind, port) in suffixed_ports(service, ports) {
        let name = format!("{}{suffix}", identifier(&service.name)).to_ascii_uppercase();
        let url = url(kind, port);
        variables.insert(format!("{name}_PORT"), port.to_string());
        variables.insert(format!("{name}_HOST"), HOST.into());
        if kind.is_http() {
            variables.insert(format!("VITE_{name}_URL"), url.clone());
        }
        variables.insert(format!("{name}_URL"), url);
    }
}

/// The exact origins that may call a backend, on this machine only and never a wildcard: each
/// frontend's port, the compatible ports, each frontend's usual ports and host names and the fixed
/// ports of the gateway.
fn cors_origins(
    plan: &Plan,
    ports: &AssignedPorts,
    instance: &str,
    gateway: Option<&GatewayPorts>,
) -> Vec<String> {
    let frontends = || {
        let services = plan.services.values();
        services.filter(|one| one.serves_pages())
    };
    // The gateway maps the origins of names to these, as services with a fixed list know them.
    let usual = plan.usual_ports().into_iter().filter(|(_, of)| {
        gateway.is_some() && of.index == 0 && plan.services[of.service].serves_pages()
    });
    let usual = usual.map(|(port, _)| port);
    let fixed = gateway.map_or(&[][..], |gateway| &gateway.fixed);
    let fixed = fixed.iter().filter(|_| frontends().next().is_some());
    let numbers = frontends()
        .filter_map(|service| ports.of(&service.name).first().copied())
        .chain(COMPATIBLE_ORIGINS)
        .chain(usual)
        .chain(fixed.copied());
    let by_port = numbers.flat_map(|port| {
        ["localhost", "127.0.0.1"].map(|host| hostnames::origin(false, host, port))
    });
    let hosts = frontends().flat_map(|service| {
        let is_main = plan.main.as_deref() == Some(&service.name);
        let own = is_main.then(|| hostnames::instance_host(instance));
        own.into_iter()
            .chain([hostnames::service_host(&service.name, instance)])
    });
    let gateway_host = hostnames::instance_host(hostnames::GATEWAY_LABEL);
    let hosts = hosts.filter(|host| *host != gateway_host);
    let by_name = hosts.flat_map(|host| {
        gateway
            .into_iter()
            .flat_map(move |at| hostnames::gateway_origins(at, &host))
    });
    let mut origins = Vec::new();
    for origin in by_port.chain(by_name) {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    origins
}

/// Returns whether the application sets a variable to `*`, alone or as the only item of a JSON list.
fn allows_all(mapping: &Mapping, name: &str) -> bool {
    ["*", "[\"*\"]"]
        .into_iter()
        .any(|all| mapping.sets(name, all))
}

fn launch(
    values: &Values<'_>,
    service: &PlannedService,
    root: &Path,
    shared: &IndexMap<String, String>,
    env_file: Option<&IndexMap<String, String>>,
    mapping: Option<&Mapping>,
) -> Launch {
    let expand = |text: &str| values.expand(&service.name, text);
    let is_kept = |name: &str| {
        let kept = mapping.is_some_and(|mapping| mapping.kept.iter().any(|kept| kept == name));
        // Portway never leaves the list of origins to an outdated file. `*` is never outdated.
        let is_outdated =
            name == CORS_ORIGINS && !mapping.is_some_and(|mapping| allows_all(mapping, name));
        kept && !is_outdated && !name.starts_with("PORTWAY_")
    };
    // The last one wins: files, Portway's variables, the application's mapped to the ports, and those of
    // the manifest.
    let mut env = env_file.cloned().unwrap_or_default();
    let wired = shared.iter().filter(|(name, _)| !is_kept(name));
    env.extend(wired.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(origins) = env.get_mut(CORS_ORIGINS)
        && !origins.starts_with('[')
        && mapping.is_some_and(|mapping| mapping.is_json_list(CORS_ORIGINS))
    {
        let all: Vec<&str> = origins.split(',').collect();
        *origins = serde_json::json!(all).to_string();
    }
    env.insert("PORTWAY_SERVICE".into(), service.name.clone());
    let host = (!is_kept("HOST")).then(|| ("HOST".into(), HOST.into()));
    env.extend(host);
    let bound = values.inner.filter(|_| !service.on_host);
    for (suffix, _, port) in suffixed_ports(service, bound.unwrap_or(values.ports)) {
        let suffix = suffix.to_ascii_uppercase();
        env.insert(format!("PORT{suffix}"), port.to_string());
        let own = format!("{}{suffix}_PORT", identifier(&service.name)).to_ascii_uppercase();
        if bound.is_some() && !is_kept(&own) {
            env.insert(own, port.to_string());
        }
    }
    for variable in mapping.iter().flat_map(|mapping| &mapping.variables) {
        let value = values.mapped(&service.name, &variable.value);
        env.insert(variable.name.clone(), value);
    }
    for (name, value) in &service.env {
        env.insert(name.clone(), expand(value));
    }
    let command = |probe: Option<&Probe>| match probe {
        Some(Probe::Exec(command)) => Some(expand(command)),
        _ => None,
    };
    let readiness = match &service.readiness.probe {
        Some(ReadinessProbe::Poll(probe)) => Some(probe),
        _ => None,
    };
    Launch {
        command: expand(&service.command),
        prepare: service.prepare.as_ref().map(|step| PrepareStep {
            command: expand(&step.command),
            dir: step.working_dir(root),
        }),
        readiness_command: command(readiness),
        liveness_command: command(service.liveness.as_ref().map(|one| &one.probe)),
        dir: service.working_dir(root),
        env,
    }
}

/// `NAME_port` of every service, then `NAME_url` of every service, then `NAME_health_url` of every
/// service with a declared health path.
fn ports_json(plan: &Plan, ports: &AssignedPorts) -> serde_json::Map<String, serde_json::Value> {
    let all = || {
        plan.services.values().flat_map(|service| {
            suffixed_ports(service, ports).map(|(suffix, kind, port)| {
                let name = format!("{}{suffix}", identifier(&service.name));
                (name, kind, port)
            })
        })
    };
    let numbers = all().map(|(name, _, port)| (format!("{name}_port"), port.into()));
    let urls = all().map(|(name, kind, port)| (format!("{name}_url"), url(kind, port).into()));
    let health = plan.services.values().filter_map(|service| {
        let port = *ports.of(&service.name).first()?;
        let path = service.health_path.as_ref()?;
        let url = format!("{}{path}", url(service.kind, port));
        Some((health_key(&service.name), url.into()))
    });
    numbers.chain(urls).chain(health).collect()
}

/// The key in `.ports.json` of a service's health URL.
pub fn health_key(service: &str) -> String {
    format!("{}_health_url", identifier(service))
}

#[cfg(test)]
mod tests;
