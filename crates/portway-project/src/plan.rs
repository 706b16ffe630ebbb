//! The plan: which services there are, which ports each wants, in which order they start.
//!
//! Made from the manifest before anything happens, and refused as a whole when its parts do not fit
//! together.

mod check;
mod front;

use indexmap::{IndexMap, IndexSet};
use portway_api::PathRoute;
use toml::Spanned;

use crate::checkout::file_name;
use crate::kind::Kind;
use crate::manifest::{
    Condition, Invalid, Manifest, Owner, PortSpec, Problem, Ready, Service, SocketMode,
};
use crate::nearest::suggestion;
use crate::preferences::Preferences;

/// A project has at most so many services. Each is told of all others, so what has to be said grows
/// with the square of their number; a file with more of them was not written by a person.
pub const MAX_SERVICES: usize = 1000;

/// A checked plan of a whole project.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The project's name.
    pub project: String,
    /// The services that take part, in the manifest's order.
    pub services: IndexMap<String, PlannedService>,
    /// The optional services that do not take part.
    pub absent: Vec<String>,
    /// The service that the instance's own name leads to.
    pub main: Option<String>,
    /// The paths of the main service's origin that lead to other services.
    pub routes: Vec<PathRoute>,
    /// Whether services are served on the local network where neither they nor the command say.
    pub lan: bool,
    /// The manifest's groups, without the services that do not take part.
    pub groups: IndexMap<String, Vec<String>>,
}

/// One service of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedService {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: Kind,
    /// Its ports, the main one first; none for a service that serves nobody.
    pub ports: Vec<PlannedPort>,
    /// The services it comes after, those that take part.
    pub after: Vec<(String, Condition)>,
    /// Whether a forced port may give way.
    pub fallback: bool,
    /// Whose process must listen.
    pub owner: Owner,
    /// The rest, as it was written; a health path is its readiness path where `ready` says nothing.
    pub spec: Service,
}

/// One port that a service wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPort {
    /// Its name, or `None` for the only port.
    pub name: Option<String>,
    /// The port to take and where to look otherwise.
    pub spec: PortSpec,
}

impl PlannedService {
    /// The largest body of a request that the gateway passes on to it, in bytes; any for `None`.
    pub fn max_body(&self) -> Option<u64> {
        self.spec.max_body.as_ref().map(|size| size.get_ref().0)
    }

    /// The key in `.ports.json` of the port at `index` of [`PlannedService::ports`]: `api_port`
    /// for the main one, `api_metrics_port` for one that is named `metrics`.
    pub fn port_key(&self, index: usize) -> String {
        let name = self.ports.get(index).and_then(|port| port.name.as_deref());
        match name.filter(|_| index > 0) {
            Some(name) => format!("{}_{}_port", key(&self.name), key(name)),
            None => format!("{}_port", key(&self.name)),
        }
    }
}

impl Plan {
    /// Makes the plan for a user without preferences. `with` are the optional services that take
    /// part.
    ///
    /// # Errors
    /// When names, references, ports or placeholders do not fit together; the error has the place
    /// in the manifest.
    pub fn new(manifest: &Manifest, with: &[String]) -> Result<Self, Box<Invalid>> {
        Self::with_preferences(manifest, with, &Preferences::default())
    }

    /// The plan for a user with preferences; they say which ports a service has that names none.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with_preferences(
        manifest: &Manifest,
        with: &[String],
        preferences: &Preferences,
    ) -> Result<Self, Box<Invalid>> {
        let plan = build(manifest, with, preferences);
        plan.and_then(|plan| check::forced_twice(&plan.services).map(|()| plan))
            .map_err(|problem| manifest.invalid(problem))
    }

    /// Everything that there is, to be shown: what takes part unasked and every optional service,
    /// also where two of those insist on one port and could never run side by side.
    ///
    /// # Errors
    /// As [`Plan::new`], for what takes part unasked.
    pub fn whole(manifest: &Manifest, preferences: &Preferences) -> Result<Self, Box<Invalid>> {
        Self::with_preferences(manifest, &[], preferences)?;
        let optional = manifest.services.iter().filter(|(_, one)| one.optional);
        let optional: Vec<String> = optional.map(|(name, _)| name.clone()).collect();
        build(manifest, &optional, preferences).map_err(|problem| manifest.invalid(problem))
    }

    /// The services that the names stand for, with those they come after, in the order in which
    /// they start. No names stand for all.
    ///
    /// # Errors
    /// The name that is neither a service nor a group, and what it may have been meant for.
    pub fn closure(&self, names: &[String]) -> Result<Vec<String>, (String, String)> {
        let mut wanted: Vec<&str> = Vec::new();
        for name in names {
            if let Some(members) = self.groups.get(name) {
                wanted.extend(members.iter().map(String::as_str));
            } else if let Some((name, _)) = self.services.get_key_value(name) {
                wanted.push(name);
            } else {
                let known = self.services.keys().chain(self.groups.keys());
                return Err((name.clone(), suggestion(name, known.map(String::as_str))));
            }
        }
        if names.is_empty() {
            wanted.extend(self.services.keys().map(String::as_str));
        }
        let mut order = IndexSet::new();
        for name in wanted {
            self.visit(name, &mut order);
        }
        Ok(order.into_iter().map(str::to_owned).collect())
    }

    /// The services that are served on the local network: those that speak HTTP, have a port and
    /// do not refuse. `asked` is what the command says, which outweighs the manifest; `false` means
    /// none.
    pub fn on_lan(&self, asked: Option<bool>) -> Vec<String> {
        let is_served = |service: &&PlannedService| {
            let own = service.spec.lan;
            let wanted = match asked {
                Some(false) => false,
                Some(true) => own != Some(false),
                None => own.unwrap_or(self.lan),
            };
            wanted && service.kind.is_http() && !service.ports.is_empty()
        };
        let served = self.services.values().filter(is_served);
        served.map(|service| service.name.clone()).collect()
    }

    /// Adds a service after those it waits for. Ends because the plan has no cycle.
    fn visit<'a>(&'a self, name: &'a str, order: &mut IndexSet<&'a str>) {
        if let Some(service) = self.services.get(name).filter(|_| !order.contains(name)) {
            for (other, _) in &service.after {
                self.visit(other, order);
            }
            order.insert(name);
        }
    }
}

fn build(manifest: &Manifest, with: &[String], preferences: &Preferences) -> Result<Plan, Problem> {
    if manifest.services.is_empty() {
        return Err(Problem::at(0..0, "there is no service")
            .help("add one: `[services.backend]` with a `command`"));
    }
    check::count(manifest)?;
    check::names(manifest)?;
    for name in with {
        if !manifest.services.contains_key(name) {
            let known = manifest.services.iter().filter(|(_, s)| s.optional);
            return Err(
                Problem::at(0..0, format!("there is no optional service `{name}`"))
                    .help(suggestion(name, known.map(|(name, _)| name.as_str()))),
            );
        }
    }
    let takes_part = |name: &str| {
        manifest
            .services
            .get(name)
            .is_some_and(|service| !service.optional || with.iter().any(|on| on == name))
    };
    let project = manifest.project.name.clone();
    let project = project.unwrap_or_else(|| file_name(manifest.root()));
    if project.contains('\0') {
        return Err(Problem::at(0..0, "the project's name has a NUL in it")
            .help("take it out: no process can be told one"));
    }
    let mut services = IndexMap::new();
    for (name, spec) in &manifest.services {
        let lone = |kind| preferences.port_spec(&project, name, kind, spec.port);
        let planned = service(manifest, name, spec, &takes_part, lone)?;
        if takes_part(name) {
            services.insert(name.clone(), planned);
        }
    }
    check::cycles(manifest)?;
    check::health_keys(manifest)?;
    check::placeholders(manifest)?;
    front::check_main(manifest)?;
    let groups = groups(manifest, &takes_part)?;
    Ok(Plan {
        project,
        absent: manifest
            .services
            .keys()
            .filter(|name| !takes_part(name))
            .cloned()
            .collect(),
        main: front::main(&services),
        lan: manifest.lan,
        routes: front::routes(manifest, &services)?,
        services,
        groups,
    })
}

fn service(
    manifest: &Manifest,
    name: &str,
    spec: &Service,
    takes_part: &impl Fn(&str) -> bool,
    lone: impl FnOnce(Kind) -> Option<PortSpec>,
) -> Result<PlannedService, Problem> {
    let command = spec.command.get_ref().as_str();
    if command.trim().is_empty() {
        return Err(Problem::at(
            spec.command.span(),
            format!("the command of `{name}` is empty"),
        ));
    }
    check::tellable(name, spec)?;
    let prepare = spec
        .prepare
        .as_ref()
        .and_then(|prepare| prepare.dir.as_ref());
    for dir in spec.dir.iter().chain(prepare) {
        check::dir(dir)?;
    }
    let mut after = Vec::new();
    for (other, condition) in &spec.after.0 {
        let known = manifest.services.keys().map(String::as_str);
        if !manifest.services.contains_key(other.get_ref()) {
            return Err(Problem::at(
                other.span(),
                format!(
                    "`{name}` comes after `{}`, which does not exist",
                    other.get_ref()
                ),
            )
            .help(suggestion(other.get_ref(), known)));
        }
        if takes_part(other.get_ref()) {
            after.push((other.get_ref().clone(), *condition));
        }
    }
    let kind = spec.kind.unwrap_or_else(|| Kind::infer(name, command));
    let ports = ports(name, spec, || lone(kind))?;
    check::probes(name, spec, &ports)?;
    check::health(name, spec, kind, &ports)?;
    check::lan(name, spec, kind, &ports)?;
    check::max_body(name, spec, kind, &ports)?;
    if spec.socket == SocketMode::Fd && ports.len() != 1 {
        return Err(Problem::at(
            spec.command.span(),
            format!("`{name}` takes its socket from Portway and needs exactly one port for that"),
        ));
    }
    Ok(PlannedService {
        name: name.to_owned(),
        kind,
        ports,
        after,
        fallback: spec.fallback.unwrap_or(kind == Kind::Frontend),
        owner: spec.owner.unwrap_or_else(|| implied_owner(command)),
        spec: Service {
            ready: spec.ready.clone().or_else(|| {
                let path = spec.health.as_ref()?;
                Some(Ready::at_path(path.get_ref()))
            }),
            ..spec.clone()
        },
    })
}

/// A container's port is served by the engine's proxy, which is nobody's child.
fn implied_owner(command: &str) -> Owner {
    let mut words = command
        .split_whitespace()
        .skip_while(|&word| word == "exec");
    let program = words.next().and_then(|word| word.rsplit('/').next());
    match program {
        Some("docker" | "podman" | "docker-compose" | "podman-compose" | "nerdctl") => Owner::Any,
        _ => Owner::Tree,
    }
}

/// The ports of a service, the main one first; `lone` is that of a service without named ones.
fn ports(
    name: &str,
    spec: &Service,
    lone: impl FnOnce() -> Option<PortSpec>,
) -> Result<Vec<PlannedPort>, Problem> {
    if spec.port.is_some() && !spec.ports.is_empty() {
        return Err(Problem::at(
            spec.command.span(),
            format!("`{name}` has both `port` and `ports`"),
        )
        .help("move the one into the other"));
    }
    if spec.ports.is_empty() {
        let port = lone().map(|spec| PlannedPort { name: None, spec });
        return Ok(port.into_iter().collect());
    }
    let mut ports: Vec<PlannedPort> = spec
        .ports
        .iter()
        .map(|(port, spec)| PlannedPort {
            name: Some(port.clone()),
            spec: *spec,
        })
        .collect();
    if let Some(main) = spec.ports.get_index_of("http") {
        ports[..=main].rotate_right(1);
    }
    Ok(ports)
}

/// A service's name as it stands in `.ports.json` keys and, in capitals, in variables.
pub fn key(name: &str) -> String {
    name.replace('-', "_").to_ascii_lowercase()
}

fn groups(
    manifest: &Manifest,
    takes_part: &impl Fn(&str) -> bool,
) -> Result<IndexMap<String, Vec<String>>, Problem> {
    let mut groups = IndexMap::new();
    for (group, members) in &manifest.groups {
        for member in members {
            if !manifest.services.contains_key(member.get_ref()) {
                let known = manifest.services.keys().map(String::as_str);
                return Err(Problem::at(
                    member.span(),
                    format!(
                        "the group `{group}` has `{}`, which does not exist",
                        member.get_ref()
                    ),
                )
                .help(suggestion(member.get_ref(), known)));
            }
        }
        let members = members.iter().map(Spanned::get_ref);
        let members = members.filter(|name| takes_part(name)).cloned().collect();
        groups.insert(group.clone(), members);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests;
