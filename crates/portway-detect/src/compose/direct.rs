//! Compose services that are built from the checkout. Their code runs directly, with the `environment` of
//! the compose file, and what runs beside it in the same image runs as a service of its own.

use portway_project::kind::Kind;

use super::{CONDITIONS, File, Service};
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

/// Connects `services` with the compose services that are built from their directories, and adds the
/// workers and other commands that run in the same images. `root` is the root of the checkout.
pub(crate) fn run_directly(
    root: &Dir<'_>,
    files: &[File<'_, '_>],
    services: &mut Vec<DetectedService>,
    context: &DetectContext<'_>,
) {
    for file in files {
        let mut siblings = Vec::new();
        for dir in file.build_dirs() {
            let built: Vec<(&String, &Service)> = file
                .compose
                .services
                .iter()
                .filter(|(_, service)| file.build_dir(service).as_deref() == Some(&dir))
                .collect();
            siblings.extend(file.connect(root, &dir, &built, services, context));
        }
        services.extend(siblings);
    }
}

/// Makes services that run directly wait for each other as their compose services do. Uses the final names.
pub(crate) fn order(files: &[File<'_, '_>], services: &mut [DetectedService]) {
    for file in files {
        // The position of the service that runs each compose service, and its name.
        let running = |name: &str| {
            let key = file.key(name);
            services.iter().position(|one| one.more.contains(&key))
        };
        let mut found = Vec::new();
        for (name, compose) in &file.compose.services {
            let Some(own) = running(name) else { continue };
            for (other, condition) in &compose.depends_on {
                let known = CONDITIONS.iter().find(|(name, _)| name == condition);
                let (Some(other), Some((_, condition))) = (running(other), known) else {
                    continue;
                };
                if other != own && (!services[other].optional || services[own].optional) {
                    found.push((own, (services[other].name.clone(), *condition)));
                }
            }
        }
        for (own, after) in found {
            let is_known = services[own].after.iter().any(|(name, _)| *name == after.0);
            if !is_known && !waits_for(services, &after.0, &services[own].name) {
                services[own].after.push(after);
            }
        }
    }
}

/// Returns whether a service starts after another one, directly or through others.
fn waits_for(services: &[DetectedService], name: &str, other: &str) -> bool {
    let mut pending = vec![name];
    let mut seen: Vec<&str> = Vec::new();
    while let Some(name) = pending.pop() {
        if name == other {
            return true;
        }
        if !seen.contains(&name) {
            seen.push(name);
            let service = services.iter().find(|one| one.name == name);
            let before = service.into_iter().flat_map(|one| &one.after);
            pending.extend(before.map(|(name, _)| name.as_str()));
        }
    }
    false
}

impl File<'_, '_> {
    /// Returns the directory that a service is built from, relative to the root: that of its Dockerfile if
    /// its context is the directory of the compose file.
    pub(super) fn build_dir(&self, service: &Service) -> Option<String> {
        let context = service.build.as_deref()?;
        let context = context.trim_start_matches("./").trim_matches('/');
        let (parent, _) = service
            .dockerfile
            .as_deref()
            .and_then(|file| file.trim_start_matches("./").rsplit_once('/'))
            .unwrap_or_default();
        let dir = match context {
            "" | "." if self.dir.below(parent).is_some() => parent,
            "" | "." => "",
            below => below,
        };
        Some(match dir {
            "" => self.dir.path().to_owned(),
            below => self.dir.path_of(below),
        })
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
            dir.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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

    /// Returns the directories that services are built from.
    fn build_dirs(&self) -> Vec<String> {
        let mut dirs: Vec<String> = Vec::new();
        for dir in self
            .compose
            .services
            .values()
            .filter_map(|one| self.build_dir(one))
        {
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
        let in_dir = |one: &&mut DetectedService| one.dir == dir;
        let names: Vec<String> = services.iter().map(|one| one.name.clone()).collect();
        let mut directly: Vec<&mut DetectedService> = services.iter_mut().filter(in_dir).collect();
        let mut rest: Vec<(&String, &Service)> = built.to_vec();
        for service in &mut directly {
            if let Some(index) = most_likely(service, &rest) {
                let (name, compose) = rest.remove(index);
                self.attach(service, name, compose);
            }
        }
        let Some(main) = directly.first() else {
            return Vec::new();
        };
        let rest = rest.into_iter().filter(|(name, _)| !names.contains(name));
        rest.filter_map(|(name, compose)| self.sibling(root, main, name, compose, context))
            .collect()
    }

    /// Makes `service` run with the environment of the compose service `name`.
    fn attach(&self, service: &mut DetectedService, name: &str, compose: &Service) {
        service.more.push(self.key(name));
        service.evidence.push(format!(
            "it is the service `{name}` in {}, whose `environment` and `env_file` apply",
            self.dir.path_of(&self.name)
        ));
        // People know the server by the port that the compose file publishes.
        let published = compose.ports.iter().find_map(|port| {
            let is_own = service.port == Some(DetectedPort::Preferred(port.container));
            port.host.filter(|host| is_own && *host >= 1024)
        });
        if let Some(host) = published {
            service.port = Some(DetectedPort::Preferred(host));
            service.is_port_written = true;
        }
    }

    /// The line of the manifest that names a compose service.
    pub(super) fn key(&self, name: &str) -> String {
        let file = quoted(&self.dir.path_of(&self.name));
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
        let place = format!("{}: services.{name}", self.name);
        let command = compose.command.as_deref()?;
        if !compose.ports.is_empty() {
            let why = "is built from a directory whose code runs directly, and which of its ports belongs to this command is not known";
            self.dir.skip(&place, why);
            return None;
        }
        let words = command.split_whitespace();
        if let Some(path) = words.clone().find(|word| word.starts_with('/')) {
            let why = format!("runs {path}, which is a path of its container");
            self.dir.skip(&place, why);
            return None;
        }
        let dir = root.below(&main.dir)?;
        let mut found = DetectedService::http(&dir, "compose", command, DetectedPort::Preferred(1))
            .with_kind(Kind::Tcp)
            .without_port()
            .with_evidence(format!(
                "{} has the service `{name}`, which runs the code in {} with another command",
                self.dir.path_of(&self.name),
                if main.dir.is_empty() {
                    "the root"
                } else {
                    &main.dir
                }
            ));
        found.name = name.to_owned();
        found.optional = main.optional || !compose.profiles.is_empty();
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

/// Returns the compose service that `service` most likely is: the one with its name, or else one that
/// serves, or else one without a command of its own.
fn most_likely(service: &DetectedService, built: &[(&String, &Service)]) -> Option<usize> {
    let last = service.dir.rsplit('/').next().unwrap_or("");
    let by_name = |(name, _): &(&String, &Service)| **name == service.name || **name == last;
    let serves = |(_, one): &(&String, &Service)| !one.ports.is_empty();
    let is_default = |(_, one): &(&String, &Service)| one.command.is_none();
    let position = |is: &dyn Fn(&(&String, &Service)) -> bool| built.iter().position(is);
    service.port?;
    position(&by_name)
        .or_else(|| position(&serves))
        .or_else(|| position(&is_default))
}

/// Returns a command whose program is that of a prepared environment.
fn with_prefix(prefix: &str, command: &str) -> String {
    match prefix.strip_suffix('/') {
        Some(bin) => format!("export PATH=\"$PWD/{bin}:$PATH\"; {command}"),
        None => format!("{prefix}{command}"),
    }
}
