//! The plan: which services run, which ports each of them needs and in which order they start.
//!
//! Input: the manifest and the preferences. Output: plain values without positions in the file,
//! TOML types or uncompiled patterns. A manifest whose parts do not fit together is rejected as a
//! whole, before anything starts.

mod build;
mod check;
mod database;
mod front;
mod inner;
mod owner;
mod ports;
mod probe;
mod usual;

use std::path::{Path, PathBuf};

use indexmap::{IndexMap, IndexSet};
use portway_api::{PathRoute, UrlRewriting};

pub use probe::{Liveness, LogPattern, Probe, Readiness, ReadinessProbe};
pub use usual::ServicePort;

use portway_ports::Protocol;

use crate::database::{DatabaseSetup, EmptyDatabase};
use crate::diagnostic::Diagnostic;
use crate::kind::Kind;
use crate::manifest::{ComposeService, Manifest};
use crate::policy::{
    Isolation, LanAccess, ListenerOwner, RestartPolicy, SocketMode, StartCondition, StopPolicy,
};
use crate::port_spec::PortSpec;
use crate::preferences::Preferences;
use crate::suggest::suggestion;

/// The largest number of services in a project. Each service receives variables about all others,
/// so the size of their environments grows with the square of this number.
pub const MAX_SERVICES: usize = 1000;

/// A checked plan of a whole project.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The project's name.
    pub project: String,
    /// The enabled services, in the order of the manifest.
    pub services: IndexMap<String, PlannedService>,
    /// The optional services that are not enabled.
    pub disabled: Vec<String>,
    /// The service to which the instance's own host name routes.
    pub main: Option<String>,
    /// The paths of the main service's origin that route to other services.
    pub routes: Vec<PathRoute>,
    /// Whether to publish HTTP services on the local network by default.
    pub lan: bool,
    /// Whether each instance is to have a network of its own.
    pub isolation: Isolation,
    /// Why it gets one although neither the user nor the project requests it, as a main clause.
    pub isolated_for: Option<String>,
    /// Whether the instance stops when a service fails.
    pub abort_on_failure: bool,
    /// Patterns of the files that a linked worktree gets from the main checkout.
    pub worktree_copy: Vec<String>,
    /// The service that creates the databases of this worktree, if there is one.
    pub database_step: Option<String>,
    /// The groups of the manifest, reduced to enabled services.
    pub groups: IndexMap<String, Vec<String>>,
}

/// One service of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedService {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub kind: Kind,
    /// The shell command, with unexpanded placeholders.
    pub command: String,
    /// The directory in which the command runs, relative to the project's root; `None` for the
    /// root.
    pub dir: Option<String>,
    /// The prepare step.
    pub prepare: Option<PlannedPrepare>,
    /// Its ports, the main port first.
    pub ports: Vec<PlannedPort>,
    /// The enabled services it waits for.
    pub after: Vec<(String, StartCondition)>,
    /// When it is ready.
    pub readiness: Readiness,
    /// The probe that repeats while it runs.
    pub liveness: Option<Liveness>,
    /// The path that reports its health, if the manifest declares one.
    pub health_path: Option<String>,
    /// When to restart it.
    pub restart: RestartPolicy,
    /// How to stop it.
    pub stop: StopPolicy,
    /// Its own environment variables, with unexpanded placeholders.
    pub env: IndexMap<String, String>,
    /// Its files with environment variables, relative to its directory.
    pub env_files: Vec<String>,
    /// Those of `env_files` that may be missing.
    pub optional_env_files: Vec<String>,
    /// The compose service whose environment it gets.
    pub compose: Option<ComposeService>,
    /// The database that each worktree has for itself, if the manifest declares one.
    pub database: Option<DatabaseSetup>,
    /// The database that must be empty, or else its command does not run.
    pub only_if_empty: Option<EmptyDatabase>,
    /// Whether the variables of the application's own files are mapped to the ports of the instance.
    pub map_env: bool,
    /// Whether it starts only on request.
    pub optional: bool,
    /// Whether the manifest declares it the main service.
    pub main: bool,
    /// Whether the manifest publishes it on the local network.
    pub lan: LanAccess,
    /// The largest request body that the gateway passes on, in bytes; `None` for no limit.
    pub max_body: Option<u64>,
    /// Which local URLs the gateway rewrites in its responses.
    pub rewriting: UrlRewriting,
    /// Whether it may use another port if its forced port is in use.
    pub fallback: bool,
    /// Which process must listen on its ports.
    pub owner: ListenerOwner,
    /// How it gets its listening socket.
    pub socket: SocketMode,
    /// Whether it runs in a terminal of its own.
    pub tty: bool,
    /// Whether it stays in the host's network even if the instance has one of its own, as a container
    /// does, whose port the engine publishes.
    pub on_host: bool,
}

/// The prepare step of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPrepare {
    /// The shell command, with unexpanded placeholders.
    pub command: String,
    /// The directory in which it runs, relative to the project's root; `None` for the root.
    pub dir: Option<String>,
    /// Files whose change makes it run again, relative to that directory.
    pub inputs: Vec<String>,
}

/// One port that a service needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPort {
    /// Its name; `None` for the only port of a service.
    pub name: Option<String>,
    /// The ports to choose from.
    pub spec: PortSpec,
    /// The protocol.
    pub protocol: Protocol,
}

impl PlannedService {
    /// The directory in which it runs, for a project at `root`.
    pub fn working_dir(&self, root: &Path) -> PathBuf {
        join(root, self.dir.as_deref())
    }

    /// The kind of the port at `index` of [`PlannedService::ports`].
    pub fn kind_of_port(&self, index: usize) -> Kind {
        match self.ports.get(index) {
            Some(port) if port.protocol == Protocol::Udp => Kind::Udp,
            Some(port) => {
                let preferred = port.spec.prefer;
                self.kind
                    .of_port(port.name.as_deref(), index == 0, preferred)
            }
            None => self.kind,
        }
    }

    /// Whether it serves pages, which call other services: see [`Kind::serves_pages`].
    pub fn serves_pages(&self) -> bool {
        self.kind.serves_pages(&self.name)
    }

    /// The key in `.ports.json` of the port at `index` of [`PlannedService::ports`]: `api_port`
    /// for the main port, `api_metrics_port` for a port named `metrics`.
    pub fn port_key(&self, index: usize) -> String {
        let name = self.ports.get(index).and_then(|port| port.name.as_deref());
        match name.filter(|_| index > 0) {
            Some(name) => format!("{}_{}_port", identifier(&self.name), identifier(name)),
            None => format!("{}_port", identifier(&self.name)),
        }
    }
}

impl PlannedPrepare {
    /// The directory in which it runs, for a project at `root`.
    pub fn working_dir(&self, root: &Path) -> PathBuf {
        join(root, self.dir.as_deref())
    }
}

fn join(root: &Path, dir: Option<&str>) -> PathBuf {
    dir.map_or_else(|| root.to_owned(), |dir| root.join(dir))
}

/// A name that is neither a service nor a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no service or group `{name}`")]
pub struct UnknownName {
    /// The name.
    pub name: String,
    /// A suggestion for the right name.
    pub help: String,
}

impl Plan {
    /// Builds the plan with default preferences. `with` are the optional services to enable.
    ///
    /// # Errors
    /// When names, references, ports or placeholders do not fit together. The error has the
    /// position in the manifest.
    pub fn new(manifest: &Manifest, with: &[String]) -> Result<Self, Box<Diagnostic>> {
        Self::with_preferences(manifest, with, &Preferences::default())
    }

    /// Builds the plan. The preferences decide the ports of services whose manifest does not.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with_preferences(
        manifest: &Manifest,
        with: &[String],
        preferences: &Preferences,
    ) -> Result<Self, Box<Diagnostic>> {
        let plan = build::plan(manifest, with, preferences);
        plan.and_then(|plan| check::single_ports(manifest, &plan.services).map(|()| plan))
            .map_err(|problem| manifest.diagnostic(problem))
    }

    /// Builds a plan of all services, for display: every optional service is enabled, even if two
    /// of them require the same port and cannot run together.
    ///
    /// # Errors
    /// As [`Plan::new`], for the services that are enabled by default.
    pub fn with_all_services(
        manifest: &Manifest,
        preferences: &Preferences,
    ) -> Result<Self, Box<Diagnostic>> {
        Self::with_preferences(manifest, &[], preferences)?;
        let optional = manifest.services.iter().filter(|(_, one)| one.optional);
        let optional: Vec<String> = optional.map(|(name, _)| name.clone()).collect();
        build::plan(manifest, &optional, preferences)
            .map_err(|problem| manifest.diagnostic(problem))
    }

    /// The services that `names` select and all services they wait for, in start order. No names
    /// select all services. A group selects its members.
    ///
    /// # Errors
    /// When a name is neither a service nor a group.
    pub fn closure(&self, names: &[String]) -> Result<Vec<String>, UnknownName> {
        let mut selected: Vec<&str> = Vec::new();
        for name in names {
            if let Some(members) = self.groups.get(name) {
                selected.extend(members.iter().map(String::as_str));
            } else if let Some((name, _)) = self.services.get_key_value(name) {
                selected.push(name);
            } else {
                let known = self.services.keys().chain(self.groups.keys());
                return Err(UnknownName {
                    name: name.clone(),
                    help: suggestion(name, known.map(String::as_str)),
                });
            }
        }
        if names.is_empty() {
            selected.extend(self.services.keys().map(String::as_str));
        }
        let mut order = IndexSet::new();
        for name in selected {
            self.visit(name, &mut order);
        }
        Ok(order.into_iter().map(str::to_owned).collect())
    }

    /// The services to publish on the local network: HTTP services with a port whose manifest does
    /// not exclude them. `requested` is the choice of the command line, which overrides the
    /// manifest.
    pub fn published_on_lan(&self, requested: LanAccess) -> Vec<String> {
        let is_published = |service: &&PlannedService| {
            let wanted = match (requested, service.lan) {
                (LanAccess::Disabled, _) => false,
                (LanAccess::Enabled, own) => own != LanAccess::Disabled,
                (LanAccess::Unspecified, LanAccess::Unspecified) => self.lan,
                (LanAccess::Unspecified, own) => own == LanAccess::Enabled,
            };
            wanted && service.kind.is_http() && !service.ports.is_empty()
        };
        let published = self.services.values().filter(is_published);
        published.map(|service| service.name.clone()).collect()
    }

    /// Adds a service after those it waits for. Terminates because the plan has no cycle.
    fn visit<'a>(&'a self, name: &'a str, order: &mut IndexSet<&'a str>) {
        if let Some(service) = self.services.get(name).filter(|_| !order.contains(name)) {
            for (other, _) in &service.after {
                self.visit(other, order);
            }
            order.insert(name);
        }
    }
}

/// A service's name as a part of keys in `.ports.json` and, in upper case, of variables.
pub fn identifier(name: &str) -> String {
    name.replace('-', "_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
