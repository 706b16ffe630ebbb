//! From a checkout's files to the text of a manifest, with evidence.
//!
//! Input: the files in the root of a checkout and two levels below, and [`DetectContext`]. Output:
//! [`Detection`], whose [`Detection::manifest`] is the text of a `portway.toml`. `portway init`
//! writes that text; without a `portway.toml`, every command parses it as if it were in the root.
//!
//! Not to be confused with the command `portway detect`, which allocates the ports of an instance.
//! This crate reads files only: it opens no socket, starts no process and reads no environment.

mod addresses;
mod alone;
mod caddy;
mod calls;
mod cargo;
pub mod compose;
mod conflicts;
mod deno;
mod dir;
mod dotnet;
mod elixir;
mod environments;
#[cfg(test)]
mod fixture;
mod found;
mod go;
mod java;
pub mod javascript;
mod jsonc;
mod listens;
mod literal;
mod migration;
mod migrations;
mod names;
mod node;
mod optional;
mod passed_over;
mod paths;
mod php;
pub mod process_compose;
pub mod procfile;
mod python;
mod records;
mod root;
mod ruby;
mod shell;
mod sites;
mod skipped;
mod tasks;
mod templates;
mod text;
pub mod toolchain;
pub mod variables;
mod walk;
mod windows;
pub mod yaml;

use std::fmt;
use std::path::Path;

use indexmap::IndexMap;

pub use alone::command;
pub use calls::configures_proxy;
pub use dir::Dir;
use portway_project::kind::Kind;
use portway_project::plan::MAX_SERVICES;
pub use root::{checkouts_below, find};
use skipped::is_skipped;

/// The properties of the machine that detection uses; passed in so that tests can set them.
pub struct DetectContext<'a> {
    /// Returns whether a program is in `PATH`.
    pub has_program: &'a dyn Fn(&str) -> bool,
    /// Returns the user's preferred port for a framework, named as in [`DetectedService::framework`].
    pub preferred: &'a dyn Fn(&str) -> Option<u16>,
    /// Whether the commands are for `cmd.exe` of Windows instead of a POSIX shell.
    pub is_windows: bool,
    /// Returns the major version of Node, if it is installed. It is called only if a package depends on it.
    pub node_major: &'a dyn Fn() -> Option<u32>,
    /// Returns why no engine runs containers, if none does. It is called only if the checkout has
    /// services that run in containers.
    pub engine: &'a dyn Fn() -> Option<NoEngine>,
}

/// Why no engine runs containers on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoEngine {
    /// What is missing, as a main clause: "`docker compose` is not installed".
    pub message: String,
    /// How to change that, as an imperative.
    pub help: String,
}

/// The services found in a checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detection {
    /// The services, in display order.
    pub services: Vec<DetectedService>,
    /// Relevant files that could not be used.
    pub skipped: Vec<Skipped>,
    /// Versions of tools that the services require.
    pub requirements: Vec<toolchain::Requirement>,
    /// Packages, other manifests and services of other files from which no service was made, with the
    /// reason.
    pub passed_over: Vec<Skipped>,
    /// What this machine lacks for some of the services, and what to do about it, one sentence each.
    pub warnings: Vec<String>,
    /// Ports in the code of services that are the same in every checkout.
    pub fixed_ports: Vec<FixedPort>,
    /// The names of the services in containers, if this machine has no engine that runs them.
    pub off: Vec<String>,
}

/// One detected service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectedService {
    /// Its name, unique in the checkout: letters, digits, `-` and `_`.
    pub name: String,
    /// Its directory relative to the root, separated by `/`; empty for the root.
    pub dir: String,
    /// Its framework or source, in lower case: `vite`, `fastapi`, `procfile`.
    pub framework: &'static str,
    /// The command, with Portway's placeholders.
    pub command: String,
    /// The command of its prepare step.
    pub prepare: Option<String>,
    /// The directory of the prepare step relative to the root, if it differs from `dir`.
    pub prepare_dir: Option<String>,
    /// Its port; `None` for a service that does not listen.
    pub port: Option<DetectedPort>,
    /// Whether a script or a configuration file of the project names its port, rather than the
    /// framework or a default in its code.
    pub is_port_written: bool,
    /// Its port without the compose file that publishes it on another one, and its port in the container.
    pub unpublished_ports: Vec<u16>,
    /// The file and line that calls its preferred port as a number, such as the target of a proxy.
    pub called_by: Option<String>,
    /// Its kind, which says what protocol it speaks.
    pub kind: Kind,
    /// Additional environment variables, with placeholders.
    pub env: IndexMap<String, String>,
    /// The services that it starts after, with the condition as the manifest spells it.
    pub after: Vec<(String, &'static str)>,
    /// Whether it is optional: it runs only if it is enabled.
    pub optional: bool,
    /// Whether it takes work from a broker such as Redis, without which it fails.
    pub needs_broker: bool,
    /// Whether its command contains addresses of other services, whose ports become placeholders.
    pub names_addresses: bool,
    /// Further keys of its manifest table, as TOML lines without a line break.
    pub more: Vec<String>,
    /// Why it was detected and why it is started this way, one sentence each, such as "`vite` is a
    /// dependency in frontend/package.json".
    pub evidence: Vec<String>,
}

/// The port of a detected service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectedPort {
    /// The port of the project's files or of the framework; the next 99 ports are alternatives.
    Preferred(u16),
    /// The user's preferred port for the framework, with the next 99 ports as alternatives, instead
    /// of `usual`, the port of the project's files or of the framework.
    Chosen {
        /// The user's preferred port.
        port: u16,
        /// The port without that preference.
        usual: u16,
    },
    /// The one port that the program's code requires.
    Fixed(u16),
}

/// A port in the code of a service that Portway cannot choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedPort {
    /// The service.
    pub service: String,
    /// The file, relative to the root, and the line.
    pub place: String,
    /// What the code does, as the predicate of a sentence.
    pub message: String,
    /// What to write.
    pub repair: String,
}

impl fmt::Display for FixedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            place,
            message,
            repair,
        } = self;
        write!(f, "`{service}` {message} ({place}); {repair}")
    }
}

/// A file that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Path relative to the root.
    pub file: String,
    /// The reason, as the predicate of a sentence: "is not JSON: …".
    pub why: String,
}

/// Detects the services of the checkout with this root.
pub fn detect(root: &Path, context: &DetectContext<'_>) -> Detection {
    let records = records::Records::default();
    let nested = root::nested_checkouts(root);
    let mut passed_over = Vec::new();
    let top = Dir::open(root, "", &records);
    if let Some(template) = templates::of(&top) {
        return Detection {
            passed_over: vec![template],
            ..Detection::default()
        };
    }
    let dirs = walk::walk(top, &nested, &mut passed_over);
    let (mut services, is_for_deployment) = from_process_files(&dirs[0], context);
    python::provide(&dirs[0], &mut services, context);
    node::provide(&dirs[0], &mut services, context);
    if services.is_empty() || is_for_deployment {
        let node = node::read(&dirs[0], context);
        let mut all = node.clone();
        for (index, dir) in dirs.iter().enumerate() {
            if index > 0 {
                all.extend(node::read(dir, context));
            }
            all.extend(READERS.iter().flat_map(|reader| reader(dir, context)));
        }
        if all.is_empty() {
            all = tasks::read(&dirs[0], context, &mut passed_over);
        }
        node::add_watchers(&dirs, &mut all, context);
        if nested.len() > 1 {
            // A parent folder of checkouts may contain other projects too.
            all.retain(|service| service.dir.is_empty());
        }
        services = match services.is_empty() {
            true => all,
            false => procfile::deployment::combine(&dirs[0], services, all, &node),
        };
    }
    optional::make_others_optional(&dirs[0], &mut services);
    found::remove_unusable(&mut services, &records);
    let files = compose::files(&dirs);
    compose::run_directly(&dirs[0], &files, &mut services, context);
    let mut containers = compose::containers(&files, &services, context);
    containers.retain(|container| {
        let is_free_of_nul = container.found.is_free_of_nul();
        if !is_free_of_nul {
            records.skip(container.found.skipped_for_nul());
        }
        is_free_of_nul
    });
    let all = services.len() + containers.len();
    if all > MAX_SERVICES {
        containers.truncate(MAX_SERVICES - services.len());
        records.skip(found::too_many(all));
    }
    let lacking = compose::engine::check(&mut containers, context);
    found::remove_repeated_workers(&mut services);
    found::make_workers_without_broker_optional(&mut services, &containers);
    let programs = services.len();
    services.extend(containers.iter().map(|container| container.found.clone()));
    names::assign(&mut services);
    node::desktop::keep_on_host(&dirs[0], &mut services[..programs]);
    found::remove_untrue_sentences(&mut services);
    conflicts::resolve(&mut services);
    calls::prefer_called_ports(root, &mut services, programs);
    addresses::replace(&mut services);
    let requirements = toolchain::require(&dirs[0], &mut services[..programs]);
    passed_over.extend(passed_over::find(&dirs, &services[..programs]));
    compose::set_start_order(&mut services, &containers, &files);
    let programs = programs + migrations::add(&dirs[0], &mut services, programs, context);
    if context.is_windows {
        windows::apply(&mut services);
    }
    let containers_found = &services[programs..];
    let mut off = Vec::new();
    if lacking.is_some() {
        off.extend(containers_found.iter().map(|one| one.name.clone()));
    }
    let warnings = lacking.and_then(|lacking| lacking.warning(containers_found));
    let warnings = warnings.into_iter().collect();
    let fixed_ports = node::reload::find(&dirs[0], &services[..programs]);
    drop(files);
    drop(containers);
    drop(dirs);
    let (skipped, decisions) = records.into_inner();
    passed_over.splice(0..0, decisions);
    Detection {
        services,
        skipped,
        requirements,
        passed_over,
        warnings,
        fixed_ports,
        off,
    }
}

/// Finds the services of one directory. An empty name is replaced later.
type Reader = fn(&Dir<'_>, &DetectContext<'_>) -> Vec<DetectedService>;

/// The readers of a single directory that follow [`node::read`], in display order.
const READERS: &[Reader] = &[
    python::read,
    ruby::read,
    php::read,
    go::read,
    cargo::read,
    java::read,
    dotnet::read,
    deno::read,
    elixir::read,
    sites::read,
];

/// Returns the services of a process-compose file or Procfile, which take precedence over guesses, and
/// whether that file is for a deployment, so that the dev servers of the checkout are missing.
fn from_process_files(root: &Dir<'_>, context: &DetectContext<'_>) -> (Vec<DetectedService>, bool) {
    let processes = process_compose::read(root, context);
    if !processes.is_empty() {
        return (processes, false);
    }
    let processes = procfile::read(root, context);
    (processes, procfile::deployment::is_for_deployment(root))
}

impl Detection {
    /// Returns the text of a manifest for these services, with the evidence as comments.
    pub fn manifest(&self, project: &str) -> String {
        text::manifest(self, project)
    }
}
