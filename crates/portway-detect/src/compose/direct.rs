//! Compose services that are built from the checkout. Their code runs directly, with the `environment` of
//! the compose file, and what runs beside it in the same image runs as a service of its own.

use portway_project::kind::Kind;

use super::{File, Service, value};
use crate::text::quoted;
use crate::{DetectContext, DetectedPort, DetectedService, Dir, node, python};

/// Prefixes of commands that run a program of a prepared environment.
const PREFIXES: [&str; 7] = [
    "uv run ",
    "poetry run ",
    "pdm run ",
    "pipenv run ",
    ".venv/bin/",
    "venv/bin/",
    "env/bin/",
];

/// Directories that contain Dockerfiles rather than code.
const FOR_DOCKER: [&str; 10] = [
    ".devcontainer",
    ".docker",
    "build",
    "containers",
    "deploy",
    "deployment",
    "docker",
    "dockerfiles",
    "infra",
    "ops",
];

/// Connects `services` with the compose services that are built from their directories, and adds the
/// workers and other commands that run in the same images. `root` is the root of the checkout.
pub(crate) fn run_directly(
    root: &Dir<'_>,
    files: &[File<'_>],
    services: &mut Vec<DetectedService>,
    context: &DetectContext<'_>,
) {
    for file in files {
        let mut siblings = Vec::new();
        for dir in file.code_dirs(services) {
            let built: Vec<(&String, &Service)> = file
                .compose
                .services
                .iter()
                .filter(|(_, service)| file.code_dir(service, services).as_deref() == Some(&dir))
                .filter(|(name, service)| file.contains_code(service) && !is_test(name, service))
                .collect();
            siblings.extend(file.connect(root, &dir, &built, services, context));
            let prefix = format!("{dir}/");
            let is_in = |one: &DetectedService| {
                dir.is_empty() || one.dir == dir || one.dir.starts_with(&prefix) || runs(one, &dir)
            };
            if let Some(place) = root.below(&dir).filter(|_| !services.iter().any(is_in)) {
                let workers = built.iter();
                siblings.extend(
                    workers
                        .filter_map(|(name, compose)| file.worker(&place, name, compose, context)),
                );
            }
        }
        services.extend(siblings);
    }
}

impl File<'_> {
    /// Returns the directory that a service is built from, relative to the root: that of its Dockerfile if
    /// its context is the directory of the compose file.
    pub(super) fn build_dir(&self, service: &Service) -> Option<String> {
        let context = value::join(self.dir.path(), service.build.as_deref()?)?;
        let file = service.dockerfile.as_deref().unwrap_or_default();
        let (parent, _) = file
            .trim_start_matches("./")
            .rsplit_once('/')
            .unwrap_or_default();
        let last = parent.rsplit('/').next().unwrap_or_default().to_lowercase();
        let is_own = context != self.dir.path()
            || self.dir.below(parent).is_none()
            || FOR_DOCKER.contains(&last.as_str());
        match is_own {
            true => Some(context),
            false => value::join(&context, parent),
        }
    }

    /// The reason for skipping a service that is built from `dir`; `None` if it runs directly.
    pub(super) fn built(
        &self,
        name: &str,
        dir: &str,
        services: &[DetectedService],
    ) -> Option<String> {
        let is_within = |service: &&DetectedService| {
            let below = service.dir.strip_prefix(dir);
            dir.is_empty()
                || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                || runs(service, dir)
        };
        let place = if dir.is_empty() { "the root" } else { dir };
        let key = self.key(name);
        if services.iter().any(|service| service.more.contains(&key)) {
            return None;
        }
        Some(match services.iter().any(|service| is_within(&service)) {
            true => format!("is built from {place}, whose code runs directly"),
            false => {
                format!("is built from {place}, where Portway found nothing to run directly")
            }
        })
    }

    /// Returns the directory of the code that a compose service runs: the one that it is built from. If none of
    /// the detected `services` is in that, the only one of their directories that it mounts or copies.
    pub(super) fn code_dir(
        &self,
        service: &Service,
        services: &[DetectedService],
    ) -> Option<String> {
        let built = self.build_dir(service)?;
        let is_one = |dir: &str| services.iter().any(|one| one.dir == dir);
        if is_one(&built) {
            return Some(built);
        }
        let prefix = format!("{built}/");
        let mut dirs = self.code(service);
        dirs.retain(|dir| is_one(dir) && (built.is_empty() || dir.starts_with(&prefix)));
        dirs.sort_unstable();
        dirs.dedup();
        match &dirs[..] {
            [only] => Some(only.clone()),
            _ => Some(built),
        }
    }

    /// Returns the directories of the code that services run.
    fn code_dirs(&self, services: &[DetectedService]) -> Vec<String> {
        let mut dirs: Vec<String> = Vec::new();
        let all = self.compose.services.values();
        for dir in all.filter_map(|one| self.code_dir(one, services)) {
            if !dirs.contains(&dir) {
                dirs.push(dir);
            }
        }
        dirs
    }

    /// Connects the services in `dir` with those of `built`, the compose services that are built from it.
    /// Returns the services that run beside them.
    fn connect(
        &self,
        root: &Dir<'_>,
        dir: &str,
        built: &[(&String, &Service)],
        services: &mut [DetectedService],
        context: &DetectContext<'_>,
    ) -> Vec<DetectedService> {
        let in_dir = |one: &&mut DetectedService| one.dir == dir || runs(one, dir);
        // A worker that only detection found gives way to the one that the file describes.
        let names = services.iter().filter(|one| !one.needs_broker);
        let names: Vec<String> = names.map(|one| one.name.clone()).collect();
        let mut rest: Vec<(&String, &Service)> = built.to_vec();
        let mut profiles: Vec<&String> = Vec::new();
        let mut pending: Vec<&mut DetectedService> = services
            .iter_mut()
            .filter(in_dir)
            .filter(|one| one.port.is_some())
            .collect();
        for is_it in LIKELY {
            pending.retain_mut(|service| {
                let index = rest
                    .iter()
                    .position(|(name, one)| is_it(service, name, one));
                let Some(index) = index else {
                    return true;
                };
                let (name, compose) = rest.remove(index);
                profiles.extend(&compose.profiles);
                self.attach(service, name, compose);
                false
            });
        }
        let mut directly: Vec<&mut DetectedService> = services.iter_mut().filter(in_dir).collect();
        rest.retain(|(name, compose)| {
            let known = self.described(root, dir, name, compose, &mut directly);
            let is_new = known.is_none();
            if let Some(known) = known {
                self.attach(known, name, compose);
            }
            is_new
        });
        let Some(main) = directly.first() else {
            return Vec::new();
        };
        let rest = rest.into_iter().filter(|(name, _)| !names.contains(name));
        // The code itself may have a profile because people run it without Compose.
        let is_active = |compose: &Service| {
            let mut own = compose.profiles.iter();
            self.is_active(compose) || own.any(|profile| profiles.contains(&profile))
        };
        rest.filter_map(|(name, compose)| {
            let mut found = self.sibling(root, main, name, compose, context)?;
            if !is_active(compose) {
                let profiles = compose.profiles.join(", ");
                found.optional = true;
                found.evidence.push(format!(
                    "it belongs to the profile {profiles}, so it is optional"
                ));
            }
            Some(found)
        })
        .collect()
    }

    /// Makes `service` run with the environment of the compose service `name`.
    fn attach(&self, service: &mut DetectedService, name: &str, compose: &Service) {
        service.more.push(self.key(name));
        service.evidence.push(format!(
            "it is the service `{name}` in {}, whose `environment` and `env_file` apply",
            self.dir.path_of(self.name())
        ));
        // People know the server by the port that the compose file publishes.
        if let Some(host) = self.published_port(service, compose) {
            let port = Some(DetectedPort::Preferred(host));
            service.is_port_written = true;
            if service.port != port {
                if let Some(DetectedPort::Preferred(own)) = service.port {
                    let published = compose.ports.iter().filter(|one| one.host == Some(host));
                    service.unpublished_ports.push(own);
                    service
                        .unpublished_ports
                        .extend(published.map(|one| one.container));
                }
                service.port = port;
                service.evidence.push(format!(
                    "{} publishes it on port {host}",
                    self.dir.path_of(self.name())
                ));
            }
        }
    }

    /// The line of the manifest that names a compose service.
    pub(super) fn key(&self, name: &str) -> String {
        let file = quoted(&self.dir.path_of(self.name()));
        format!("compose = {{ file = {file}, service = {} }}", quoted(name))
    }

    /// Returns a command that runs in the same image as `main`, as a service; `None` if it serves, or if
    /// it can only run in the container.
    fn sibling(
        &self,
        root: &Dir<'_>,
        main: &DetectedService,
        name: &str,
        compose: &Service,
        context: &DetectContext<'_>,
    ) -> Option<DetectedService> {
        let place = format!("{}: services.{name}", self.name());
        let command = compose.runs()?;
        if !compose.ports.is_empty() {
            let why = "is built from a directory whose code runs directly, and which of its ports belongs to this command is not known";
            self.dir.pass_over(&place, why);
            return None;
        }
        let (command, imports) = match self.in_checkout(main, compose, command) {
            Ok(found) => found,
            Err(path) => {
                let why = format!("runs {path}, which is a path of its container");
                self.dir.pass_over(&place, why);
                return None;
            }
        };
        let command = command.as_str();
        let dir = root.below(&main.dir)?;
        let mut found = DetectedService::http(&dir, "compose", command, DetectedPort::Preferred(1))
            .with_kind(Kind::Tcp)
            .without_port()
            .with_evidence(format!(
                "{} has the service `{name}`, which runs the code in {} with another command",
                self.dir.path_of(self.name()),
                if main.dir.is_empty() {
                    "the root"
                } else {
                    &main.dir
                }
            ));
        found.name = name.to_owned();
        found.optional = main.optional;
        if let Some(path) = imports {
            found = found.with_env("PYTHONPATH", &path);
        }
        let mut one = [found];
        python::provide(&dir, &mut one, context);
        node::provide(&dir, &mut one, context);
        let [mut found] = one;
        if found.prepare.is_none() {
            found.prepare = main.prepare.clone();
            found.prepare_dir = main.prepare_dir.clone();
            if let Some(prefix) = PREFIXES.iter().find(|one| main.command.starts_with(**one)) {
                found.command = with_prefix(prefix, command);
            }
        }
        found.more.push(self.key(name));
        Some(found)
    }
}

/// Returns whether the command of a service names `dir` as what it runs: `go run ./cmd/api`.
pub(crate) fn runs(service: &DetectedService, dir: &str) -> bool {
    let below = match service.dir.as_str() {
        "" => Some(dir),
        above => dir
            .strip_prefix(above)
            .and_then(|rest| rest.strip_prefix('/')),
    };
    let is_it = |below: &str| {
        let mut words = service.command.split_whitespace();
        words.any(|word| word.trim_start_matches("./").trim_end_matches('/') == below)
    };
    below.is_some_and(|below| !below.is_empty() && is_it(below))
}

/// Parts of names of services and Dockerfiles that run tests.
const TESTS: [&str; 6] = ["cypress", "e2e", "playwright", "spec", "test", "tests"];

/// Returns whether a service runs the tests of the code that its image contains.
pub(super) fn is_test(name: &str, service: &Service) -> bool {
    let is_part = |part: &str| TESTS.contains(&part.to_ascii_lowercase().as_str());
    let file = service.dockerfile.as_deref().unwrap_or_default();
    let file = file.rsplit('/').next().unwrap_or_default();
    let mut parts = name
        .split(['-', '_', '.'])
        .chain(file.split(['-', '_', '.']));
    parts.any(is_part)
}

/// Returns whether a service may be the compose service with this name.
type IsIt = fn(&DetectedService, &str, &Service) -> bool;

/// What says that a service is a compose service, the surest first: its name, its port, that it serves, and
/// that it has no command of its own.
const LIKELY: [IsIt; 4] = [
    |service, name, _| {
        let last = service.dir.rsplit('/').next().unwrap_or("");
        name == service.name || name == last
    },
    |service, _, compose| {
        let mut ports = compose.ports.iter();
        ports.any(|port| service.port == Some(DetectedPort::Preferred(port.container)))
    },
    |_, _, compose| !compose.ports.is_empty(),
    |_, _, compose| compose.runs().is_none(),
];

/// Returns a command whose program is that of a prepared environment.
fn with_prefix(prefix: &str, command: &str) -> String {
    match prefix.strip_suffix('/') {
        Some(bin) => format!("export PATH=\"$PWD/{bin}:$PATH\"; {command}"),
        None => format!("{prefix}{command}"),
    }
}
