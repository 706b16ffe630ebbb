//! The wiring: what every service is told, from the plan and the ports it got.
//!
//! One function makes all of it, so that `portway env`, `.ports.json`, the processes and whatever
//! else shows it cannot differ.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::checkout::Checkout;
use crate::kind::Kind;
use crate::names::{self, GatewayPorts};
use crate::plan::{Plan, PlannedService, key};
use crate::template::{self, Property};

/// The address that services are told to bind.
pub const HOST: &str = "127.0.0.1";

/// Ports from which older set-ups expect a backend to be called, beside the frontends' own.
const COMPATIBLE_ORIGINS: [u16; 2] = [5173, 3000];

/// The variable with the origins that may call a backend.
const CORS_ORIGINS: &str = "CORS_ORIGINS";

/// The variable with a name to which Vite answers beside `localhost` and addresses.
const VITE_ALLOWED_HOST: &str = "__VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS";

/// The ports that a plan's services got: by service, in the order of [`PlannedService::ports`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssignedPorts(pub IndexMap<String, Vec<u16>>);

impl AssignedPorts {
    /// The ports of a service, the main one first; empty where it has none.
    pub fn of(&self, service: &str) -> &[u16] {
        self.0.get(service).map_or(&[], Vec::as_slice)
    }

    /// Puts `to` where `from` was.
    pub fn replace(&mut self, service: &str, from: u16, to: u16) {
        for port in self.0.get_mut(service).into_iter().flatten() {
            if *port == from {
                *port = to;
            }
        }
    }
}

/// What one instance's services are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Wiring {
    /// Variables that are the same for every service, and for a person's shell.
    pub shared: IndexMap<String, String>,
    /// The start of each service.
    pub services: IndexMap<String, Launch>,
    /// What Portway owns in `.ports.json`, in its order.
    pub ports_json: serde_json::Map<String, serde_json::Value>,
}

/// All that is needed to start one service. Two equal values mean that nothing it is told has
/// changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The shell command.
    pub command: String,
    /// What makes it ready to start.
    pub prepare: Option<Step>,
    /// The shell command that tells whether it is ready.
    pub ready_exec: Option<String>,
    /// The shell command that tells whether it still works.
    pub live_exec: Option<String>,
    /// The directory to run in.
    pub dir: PathBuf,
    /// Variables on top of those that Portway itself was started with.
    pub env: IndexMap<String, String>,
}

/// A command that is run before a service is started. Services whose steps are equal need it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The shell command.
    pub command: String,
    /// The directory to run in.
    pub dir: PathBuf,
}

impl Wiring {
    /// Makes the wiring. `env_files` are the variables of each service's `env_file`s, read
    /// beforehand; `trust` those by which programs trust the gateway's certificates, which yield to
    /// a file's; `gateway` where the names are served.
    pub fn new(
        plan: &Plan,
        ports: &AssignedPorts,
        checkout: &Checkout,
        instance: &str,
        env_files: &IndexMap<String, IndexMap<String, String>>,
        trust: &IndexMap<String, String>,
        gateway: Option<&GatewayPorts>,
    ) -> Self {
        let mut shared = IndexMap::new();
        for service in plan.services.values() {
            peer_variables(service, ports, &mut shared);
        }
        let origins = cors_origins(plan, ports, instance, gateway);
        shared.insert(CORS_ORIGINS.into(), origins.join(","));
        shared.insert("PORTWAY_PROJECT".into(), plan.project.clone());
        shared.insert("PORTWAY_INSTANCE".into(), instance.to_owned());
        shared.insert("PORTWAY_ID".into(), checkout.id.clone());
        let services = plan
            .services
            .values()
            .map(|service| {
                let file = env_files.get(&service.name);
                let mut launch = launch(plan, service, ports, &checkout.root, &shared, file);
                for (name, value) in trust {
                    let entry = launch.env.entry(name.clone());
                    entry.or_insert_with(|| value.clone());
                }
                (service.name.clone(), launch)
            })
            .collect();
        shared.extend(trust.clone());
        Self {
            shared,
            services,
            ports_json: ports_json(plan, ports),
        }
    }
}

impl Wiring {
    /// Lets pages that are served on the local network call backends, and be called by the name
    /// that they have there. `served` are the services, `addresses` and `host` (such as
    /// `jobi-laptop.local`) where they are found.
    pub fn serve_on_lan(
        &mut self,
        plan: &Plan,
        ports: &AssignedPorts,
        served: &[String],
        addresses: &[std::net::Ipv4Addr],
        host: &str,
    ) {
        let is_frontend = |name: &&String| plan.services[name.as_str()].kind == Kind::Frontend;
        let frontends: Vec<&String> = served.iter().filter(is_frontend).collect();
        let hosts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let mut origins = self.shared[CORS_ORIGINS].clone();
        for port in frontends.iter().filter_map(|name| ports.of(name).first()) {
            for host in hosts.iter().map(String::as_str).chain([host]) {
                origins.push_str(&format!(",http://{host}:{port}"));
            }
        }
        let before = self.shared.insert(CORS_ORIGINS.into(), origins.clone());
        for (name, launch) in &mut self.services {
            // What the manifest says about it stays.
            if launch.env.get(CORS_ORIGINS) == before.as_ref() {
                launch.env.insert(CORS_ORIGINS.into(), origins.clone());
            }
            if frontends.contains(&name) {
                let allowed = launch.env.entry(VITE_ALLOWED_HOST.into());
                allowed.or_insert_with(|| host.to_owned());
            }
        }
    }
}

/// The URL of a port of a service of this kind.
pub fn url(kind: Kind, port: u16) -> String {
    format!("{}://localhost:{port}", kind.scheme())
}

/// Everything of a service, in the order of its ports: the part of the name that tells them apart
/// (empty for the main one) and the port.
fn named_ports<'a>(
    service: &'a PlannedService,
    ports: &'a AssignedPorts,
) -> impl Iterator<Item = (String, u16)> + 'a {
    let assigned = ports.of(&service.name).iter().copied();
    service
        .ports
        .iter()
        .zip(assigned)
        .enumerate()
        .map(|(index, (port, number))| match &port.name {
            Some(name) if index > 0 => (format!("_{}", key(name)), number),
            _ => (String::new(), number),
        })
}

/// `NAME_PORT`, `NAME_HOST` and `NAME_URL`, and `VITE_NAME_URL` for what a browser may call.
fn peer_variables(
    service: &PlannedService,
    ports: &AssignedPorts,
    variables: &mut IndexMap<String, String>,
) {
    for (part, port) in named_ports(service, ports) {
        let name = format!("{}{part}", key(&service.name)).to_ascii_uppercase();
        let url = url(service.kind, port);
        variables.insert(format!("{name}_PORT"), port.to_string());
        variables.insert(format!("{name}_HOST"), HOST.into());
        if service.kind.is_http() {
            variables.insert(format!("VITE_{name}_URL"), url.clone());
        }
        variables.insert(format!("{name}_URL"), url);
    }
}

/// The exact origins that may call a backend: each frontend's by its port, those kept for
/// compatibility, those of fixed ports, and each frontend's by its names. Never a wildcard, never
/// another host.
fn cors_origins(
    plan: &Plan,
    ports: &AssignedPorts,
    instance: &str,
    gateway: Option<&GatewayPorts>,
) -> Vec<String> {
    let frontends = || {
        let services = plan.services.values();
        services.filter(|service| service.kind == Kind::Frontend)
    };
    let fixed = gateway.map_or(&[][..], |gateway| &gateway.fixed);
    let fixed = fixed.iter().filter(|_| frontends().next().is_some());
    let numbers = frontends()
        .filter_map(|service| ports.of(&service.name).first().copied())
        .chain(COMPATIBLE_ORIGINS)
        .chain(fixed.copied());
    let by_number = numbers
        .flat_map(|port| ["localhost", "127.0.0.1"].map(|host| names::origin(false, host, port)));
    let hosts = frontends().flat_map(|service| {
        let is_main = plan.main.as_deref() == Some(&service.name);
        let own = is_main.then(|| names::of_instance(instance));
        own.into_iter()
            .chain([names::of_service(&service.name, instance)])
    });
    let hosts = hosts.filter(|host| *host != names::of_instance(names::OWN));
    let by_name = hosts.flat_map(|host| gateway.into_iter().flat_map(move |at| at.origins(&host)));
    let mut origins = Vec::new();
    for origin in by_number.chain(by_name) {
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    origins
}

fn launch(
    plan: &Plan,
    service: &PlannedService,
    ports: &AssignedPorts,
    root: &Path,
    shared: &IndexMap<String, String>,
    env_file: Option<&IndexMap<String, String>>,
) -> Launch {
    let fill = |text: &str| fill(plan, ports, &service.name, text);
    let spec = &service.spec;
    // Later ones win: files, then Portway's own, then what the manifest says.
    let mut env = env_file.cloned().unwrap_or_default();
    env.extend(shared.clone());
    env.insert("PORTWAY_SERVICE".into(), service.name.clone());
    env.insert("HOST".into(), HOST.into());
    for (part, port) in named_ports(service, ports) {
        env.insert(
            format!("PORT{}", part.to_ascii_uppercase()),
            port.to_string(),
        );
    }
    for (name, value) in &spec.env {
        env.insert(name.clone(), fill(value.get_ref()));
    }
    let exec = |text: Option<&crate::manifest::Text>| text.map(|text| fill(text.get_ref()));
    let dir = |dir: Option<&crate::manifest::Text>| {
        dir.map_or_else(|| root.to_owned(), |dir| root.join(dir.get_ref()))
    };
    let prepare = spec.prepare.as_ref().map(|prepare| Step {
        command: fill(prepare.command.get_ref()),
        dir: dir(prepare.dir.as_ref().or(spec.dir.as_ref())),
    });
    Launch {
        command: fill(spec.command.get_ref()),
        prepare,
        ready_exec: exec(spec.ready.as_ref().and_then(|ready| ready.exec.as_ref())),
        live_exec: exec(spec.liveness.as_ref().and_then(|live| live.exec.as_ref())),
        dir: dir(spec.dir.as_ref()),
        env,
    }
}

/// Fills in a text of the plan. A placeholder of an optional service that does not take part
/// becomes empty; every other one has been checked when the plan was made.
fn fill(plan: &Plan, ports: &AssignedPorts, own: &str, text: &str) -> String {
    let present = plan.services.keys();
    let names: Vec<&str> = present.chain(&plan.absent).map(String::as_str).collect();
    let filled = template::expand(text, own, &names, |name, property| {
        let service = plan.services.get(name);
        let number = |wanted: Option<&str>| {
            let service = service?;
            let index = wanted.map_or(Some(0), |wanted| {
                let has = |port: &crate::plan::PlannedPort| port.name.as_deref() == Some(wanted);
                service.ports.iter().position(has)
            })?;
            Some((service.kind, *ports.of(name).get(index)?))
        };
        Some(match property {
            Property::Name => name.to_owned(),
            Property::Host => HOST.to_owned(),
            Property::Port(port) => number(port).map(|(_, n)| n.to_string()).unwrap_or_default(),
            Property::Url(port) => number(port).map(|(k, n)| url(k, n)).unwrap_or_default(),
        })
    });
    filled.unwrap_or_else(|_| text.to_owned())
}

/// `NAME_port` of every service, then `NAME_url` of every service, then `NAME_health_url` of those
/// that name a path.
fn ports_json(plan: &Plan, ports: &AssignedPorts) -> serde_json::Map<String, serde_json::Value> {
    let all = || {
        plan.services.values().flat_map(|service| {
            named_ports(service, ports)
                .map(|(part, port)| (format!("{}{part}", key(&service.name)), service.kind, port))
        })
    };
    let numbers = all().map(|(name, _, port)| (format!("{name}_port"), port.into()));
    let urls = all().map(|(name, kind, port)| (format!("{name}_url"), url(kind, port).into()));
    let health = plan.services.values().filter_map(|service| {
        let port = *ports.of(&service.name).first()?;
        let path = service.spec.health.as_ref()?.get_ref();
        let url = format!("{}{path}", url(service.kind, port));
        Some((health_key(&service.name), url.into()))
    });
    numbers.chain(urls).chain(health).collect()
}

/// The key in `.ports.json` of a service's health URL.
pub fn health_key(service: &str) -> String {
    format!("{}_health_url", key(service))
}

#[cfg(test)]
mod tests;
