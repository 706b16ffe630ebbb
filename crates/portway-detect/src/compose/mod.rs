//! Compose files: the databases and helpers that a project runs in containers.
//!
//! A service with an image becomes a service here, whose command runs it with its port published
//! where Portway says: `run` publishes nothing but what `-p` tells it, so the file stays as it is.
//! What is built from the checkout is the application itself, and for other readers to find.
//!
//! Two checkouts must share neither containers nor data: the container's name and the compose
//! project's have the instance's name in them. A container that a killed instance has left has the
//! same name and is removed before the next start.
//!
//! Built from the documented formats of Docker; no engine was there to try it with. Podman's
//! `compose` takes the same words.

mod images;
mod interpolate;
mod model;
mod ports;

use indexmap::IndexMap;

pub use self::model::{Compose, Service, parse};
pub use self::ports::Published;
use super::process_compose::merge;
use super::shell::{literal, quote};
use super::text::quoted;
use super::{Dir, Found, FoundPort, Surroundings};
use portway_project::env_file;

/// The files, in Docker's order.
const FILES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];

const ENGINES: [&str; 2] = ["docker", "podman"];

const CONDITIONS: [(&str, &str); 4] = [
    ("", "started"),
    ("service_started", "started"),
    ("service_healthy", "ready"),
    ("service_completed_successfully", "completed"),
];

/// The container, in words of the shell: the same name for every start of the same instance.
const CONTAINER: &str = "\"portway-$PORTWAY_INSTANCE-{name}\"";

/// The compose project, whose names have no dots.
const PROJECT: &str = "\"$(echo \"$PORTWAY_INSTANCE\" | tr . -)\"";

/// A container's service and those of the same file that it comes after.
pub(super) struct Container {
    pub(super) found: Found,
    name: String,
    after: Vec<(String, &'static str)>,
}

/// The containers in the root's compose file, or where there is none in those one level below.
/// `services` are those that were found otherwise.
pub(super) fn read(
    dirs: &[Dir<'_>],
    services: &[Found],
    surroundings: &Surroundings<'_>,
) -> Vec<Container> {
    let has_file = |dir: &&Dir<'_>| dir.first_of(&FILES).is_some();
    let root = dirs.iter().take(1).find(has_file);
    let below = |dir: &&Dir<'_>| !dir.path().is_empty() && !dir.path().contains('/');
    let dirs: Vec<&Dir<'_>> = match root {
        Some(root) => vec![root],
        None => dirs.iter().filter(below).filter(has_file).collect(),
    };
    let files = dirs.into_iter().filter_map(File::read);
    files
        .flat_map(|file| file.containers(services, surroundings))
        .collect()
}

/// Lets containers come after each other as their file says, and everything else after them, by the
/// names that they have now; `all` ends with the containers.
pub(super) fn put_in_order(all: &mut [Found], containers: &[Container]) {
    let count = all.len().saturating_sub(containers.len());
    let (services, found) = all.split_at_mut(count);
    let names: Vec<String> = found.iter().map(|one| one.name.clone()).collect();
    for (one, container) in found.iter_mut().zip(containers) {
        for (other, condition) in &container.after {
            let index = containers
                .iter()
                .position(|container| container.name == *other && container.found.dir == one.dir);
            if let Some(name) = index.and_then(|index| names.get(index)) {
                one.after.push((name.clone(), condition));
            }
        }
    }
    for service in services {
        let needed = found.iter().filter(|one| !one.optional);
        service
            .after
            .extend(needed.map(|one| (one.name.clone(), "ready")));
    }
}

/// A compose file with the one laid over it.
struct File<'f, 'd> {
    dir: &'f Dir<'d>,
    name: &'static str,
    over: Option<String>,
    compose: Compose,
}

impl<'f, 'd> File<'f, 'd> {
    fn read(dir: &'f Dir<'d>) -> Option<Self> {
        let name = dir.first_of(&FILES)?;
        let mut value = dir.yaml(name)?;
        let (stem, extension) = name.rsplit_once('.')?;
        let over = format!("{stem}.override.{extension}");
        let over = match dir.yaml(&over) {
            Some(more) => {
                merge(&mut value, more);
                Some(over)
            }
            None => None,
        };
        if value.get("services").is_none() {
            // It has processes, and another reader for them.
            if value.get("processes").is_none() {
                dir.skip(name, "has no services");
            }
            return None;
        }
        let variables = dir.read(".env").and_then(|text| {
            let parsed = env_file::parse(&text);
            let noted = parsed.inspect_err(|error| dir.skip(".env", format!("is wrong: {error}")));
            noted.ok()
        });
        let compose = match Compose::new(value, &variables.unwrap_or_default()) {
            Ok(compose) => compose,
            Err(error) => {
                dir.skip(name, format!("has no services that can be used: {error}"));
                return None;
            }
        };
        if compose.includes {
            dir.skip(&format!("{name}: include"), "names files that are not read");
        }
        Some(Self {
            dir,
            name,
            over,
            compose,
        })
    }

    fn containers(&self, services: &[Found], surroundings: &Surroundings<'_>) -> Vec<Container> {
        let mut containers = Vec::new();
        for (name, service) in &self.compose.services {
            match self.container(name, service, services, surroundings) {
                Ok(container) => containers.push(container),
                Err(why) => self
                    .dir
                    .skip(&format!("{}: services.{name}", self.name), why),
            }
        }
        containers
    }

    /// A service as a container, or why it is passed over.
    fn container(
        &self,
        name: &str,
        service: &Service,
        services: &[Found],
        surroundings: &Surroundings<'_>,
    ) -> Result<Container, String> {
        if let Some(build) = &service.build {
            return Err(self.built(build, services));
        }
        let image = service
            .image
            .as_deref()
            .ok_or("has neither image nor build")?;
        if service.on_host_network {
            return Err("shares the network of the host, so its port cannot be moved".into());
        }
        let known = images::known(image);
        let mut ports = service.ports.clone();
        if ports.is_empty() {
            ports.extend(known.map(|known| Published {
                container: known.port,
                host: None,
            }));
        }
        if let Some(main) = ports
            .iter()
            .position(|port| known.is_some_and(|known| known.port == port.container))
        {
            ports[..=main].rotate_right(1);
        }
        let main = ports.first().ok_or("publishes no port")?;
        let framework = known.map_or("compose", |known| known.framework);
        let kind = known.map_or_else(|| images::kind_of(main.container), |known| known.kind);
        let engine = surroundings.first_program(&ENGINES);
        let preferred = (surroundings.preferred)(framework);
        let mut found = Found::http(self.dir, framework, "", FoundPort::Prefer(1))
            .of_kind(kind)
            .because(format!(
                "{} has the service `{name}` with the image {image}",
                self.dir.path_of(self.name)
            ));
        found.name = name.to_owned();
        let publish = self.ports(&mut found, &ports, preferred);
        self.commands(
            &mut found,
            name,
            image,
            engine.unwrap_or(ENGINES[0]),
            &publish,
        );
        let check = service.healthcheck.as_deref();
        let check = check.or_else(|| known.and_then(|known| known.ready));
        if let Some(check) = check {
            let engine = engine.unwrap_or(ENGINES[0]);
            let check = literal(check);
            let exec = format!("{engine} exec {CONTAINER} {check}");
            let ready = format!("ready = {{ exec = {}, timeout = \"2m\" }}", quoted(&exec));
            found.more.push(ready);
        }
        // The engine itself gives it ten seconds.
        found.more.push("stop = { grace = \"20s\" }".into());
        if !service.other_ports.is_empty() {
            found
                .evidence
                .push(format!("not published: {}", service.other_ports.join(", ")));
        }
        if engine.is_none() {
            found.optional = true;
            found.evidence.push(
                "there is neither `docker` nor `podman`, so it takes part only when asked for"
                    .into(),
            );
        }
        if !service.profiles.is_empty() {
            found.optional = true;
            let profiles = service.profiles.join(", ");
            found.evidence.push(format!(
                "it belongs to the profile {profiles}, so it takes part only when asked for"
            ));
        }
        let after = service.depends_on.iter().filter_map(|(other, condition)| {
            let known = CONDITIONS.iter().find(|(name, _)| name == condition);
            Some((other.clone(), known?.1))
        });
        Ok(Container {
            found,
            name: name.to_owned(),
            after: after.collect(),
        })
    }

    /// Why a service that is built from the checkout is passed over.
    fn built(&self, context: &str, services: &[Found]) -> String {
        let context = context.trim_start_matches("./").trim_matches('/');
        let context = match context {
            "" | "." => self.dir.path().to_owned(),
            below => self.dir.path_of(below),
        };
        let is_within = |dir: &str| {
            let below = dir.strip_prefix(context.as_str());
            context.is_empty() || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let place = match context.as_str() {
            "" => "the root",
            place => place,
        };
        match services.iter().any(|service| is_within(&service.dir)) {
            true => format!("is built from {place}, whose code is run directly"),
            false => {
                format!("is built from {place}, where nothing was found that can be run directly")
            }
        }
    }

    /// Gives the service its ports; answers how they are published.
    fn ports(&self, found: &mut Found, ports: &[Published], preferred: Option<u16>) -> String {
        let wish = |port: &Published| {
            let usual = port.host.unwrap_or(port.container);
            // Those below need rights.
            if usual < 1024 { usual + 8000 } else { usual }
        };
        if let [only] = ports {
            let port = preferred.unwrap_or_else(|| wish(only));
            found.port = Some(FoundPort::Prefer(port));
            return format!("-p {{host}}:{{port}}:{}", only.container);
        }
        found.port = None;
        let mut named: IndexMap<String, &Published> = IndexMap::new();
        for (index, port) in ports.iter().enumerate() {
            let name = match index {
                0 => "main".to_owned(),
                _ => images::port_name(port.container),
            };
            // `http` would come first for Portway.
            let name = name.replace("http", "web");
            named.insert(name, port);
        }
        let wishes = named.iter().enumerate().map(|(index, (name, port))| {
            let wish = wish(port);
            let wish = if index == 0 {
                preferred.unwrap_or(wish)
            } else {
                wish
            };
            format!("{name} = {wish}")
        });
        let wishes: Vec<String> = wishes.collect();
        found
            .more
            .push(format!("ports = {{ {} }}", wishes.join(", ")));
        let publish = named
            .iter()
            .map(|(name, port)| format!("-p {{host}}:{{ports.{name}}}:{}", port.container));
        publish.collect::<Vec<_>>().join(" ")
    }

    fn commands(&self, found: &mut Found, name: &str, image: &str, engine: &str, publish: &str) {
        let mut files = format!("-f {}", quote(self.name));
        if let Some(over) = &self.over {
            files += &format!(" -f {}", quote(over));
        }
        let service = quote(name);
        let service = literal(&service);
        let image = quote(image);
        let image = literal(&image);
        found.command = format!(
            "{engine} rm -f {CONTAINER} >/dev/null 2>&1; exec {engine} compose {files} -p {PROJECT} run --rm --no-deps --use-aliases --name {CONTAINER} {publish} {service}"
        );
        // Fetching an image may take longer than a start.
        found.prepare = Some(format!(
            "{engine} image inspect {image} >/dev/null 2>&1 || {engine} compose {files} pull -q {service}"
        ));
        found.evidence.push(
            "its container and its volumes are this checkout's own; in the main checkout the volumes are those of a plain `compose up`".into(),
        );
    }
}

#[cfg(test)]
mod tests;
