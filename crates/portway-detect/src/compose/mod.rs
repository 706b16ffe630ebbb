//! Compose files: databases and other services that a project runs in containers.
//!
//! A compose service with an image becomes a service whose command runs that container and
//! publishes its port where Portway chooses (`compose run -p`), so the file stays unchanged.
//! Services built from the checkout are left to the other readers. Container and project names
//! contain the instance's name, so checkouts never share containers or data. A container that a
//! killed instance left behind has the same name and is removed before the next start. Podman's
//! `compose` accepts the same commands.

mod alternatives;
mod credentials;
mod direct;
mod environment;
mod images;
mod interpolate;
mod model;
mod ports;
mod release;
mod resolve;

use indexmap::IndexMap;

pub use self::credentials::credentials;
pub(super) use self::direct::{order, run_directly};
pub use self::environment::environment;
pub use self::model::{Compose, Service, parse};
pub use self::ports::Published;
use super::process_compose::merge;
use super::shell::literal;
use super::text::quoted;
use super::{DetectContext, DetectedPort, DetectedService, Dir};
use portway_project::shell::quote;

/// File names in Docker's order of precedence.
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

/// The container's name as a shell expression; the same for every start of an instance.
const CONTAINER: &str = "\"portway-$PORTWAY_INSTANCE-{name}\"";

/// The label of the container, by which Portway removes it if a killed instance left it.
const LABEL: &str = "\"portway.run=$PORTWAY_RUN\"";

/// The compose project's name, which must not contain dots.
const PROJECT: &str = "\"$(echo \"$PORTWAY_INSTANCE\" | tr . -)\"";

/// A container's service and the services of the same file that it depends on.
pub(super) struct Container {
    pub(super) found: DetectedService,
    name: String,
    after: Vec<(String, &'static str)>,
}

/// Reads the compose file in the root or, if there is none, those one level below.
pub(super) fn files<'f, 'd>(dirs: &'f [Dir<'d>]) -> Vec<File<'f, 'd>> {
    let has_file = |dir: &&Dir<'_>| dir.first_of(&FILES).is_some();
    let root = dirs.iter().take(1).find(has_file);
    let below = |dir: &&Dir<'_>| !dir.path().is_empty() && !dir.path().contains('/');
    let dirs: Vec<&Dir<'_>> = match root {
        Some(root) => vec![root],
        None => dirs.iter().filter(below).filter(has_file).collect(),
    };
    dirs.into_iter().filter_map(File::read).collect()
}

/// Returns the services of compose files that run in containers. `services` are the services that other
/// readers found.
pub(super) fn containers(
    files: &[File<'_, '_>],
    services: &[DetectedService],
    context: &DetectContext<'_>,
) -> Vec<Container> {
    let mut all: Vec<Container> = files
        .iter()
        .flat_map(|file| file.containers(services, context))
        .collect();
    alternatives::make_optional(files, &mut all);
    all
}

/// Sets the start order: containers as their file says, all other services after the containers.
/// Uses the final names; the containers are at the end of `all`.
pub(super) fn set_start_order(all: &mut [DetectedService], containers: &[Container]) {
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

/// A compose file merged with its override file.
pub(super) struct File<'f, 'd> {
    dir: &'f Dir<'d>,
    name: String,
    over: Option<String>,
    compose: Compose,
}

impl<'f, 'd> File<'f, 'd> {
    fn read(dir: &'f Dir<'d>) -> Option<Self> {
        Self::read_named(dir, dir.first_of(&FILES)?)
    }

    /// Reads the file `name` and its override file.
    fn read_named(dir: &'f Dir<'d>, name: &str) -> Option<Self> {
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
        resolve::resolve(dir, name, &mut value);
        if value.get("services").is_none() {
            // This is a process-compose file, which has a separate reader.
            if value.get("processes").is_none() {
                dir.skip(name, "has no services");
            }
            return None;
        }
        let variables = dir.dotenv(".env");
        let compose = match Compose::new(value, &variables.unwrap_or_default()) {
            Ok(compose) => compose,
            Err(error) => {
                dir.skip(name, format!("has no usable services: {error}"));
                return None;
            }
        };
        Some(Self {
            dir,
            name: name.to_owned(),
            over,
            compose,
        })
    }

    fn containers(
        &self,
        services: &[DetectedService],
        context: &DetectContext<'_>,
    ) -> Vec<Container> {
        let mut containers = Vec::new();
        for (name, service) in &self.compose.services {
            match self.container(name, service, services, context) {
                Ok(container) => containers.extend(container),
                Err(why) => self
                    .dir
                    .skip(&format!("{}: services.{name}", self.name), why),
            }
        }
        containers
    }

    /// Converts a compose service into a service, or returns why it is skipped. A service whose code runs
    /// directly has no container.
    fn container(
        &self,
        name: &str,
        service: &Service,
        services: &[DetectedService],
        context: &DetectContext<'_>,
    ) -> Result<Option<Container>, String> {
        if let Some(dir) = self.build_dir(service) {
            return self.built(name, &dir, services).map_or(Ok(None), Err);
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
        let engine = context.first_program(&ENGINES);
        let preferred = (context.preferred)(framework);
        let mut found = DetectedService::http(self.dir, framework, "", DetectedPort::Preferred(1))
            .with_kind(kind)
            .with_evidence(format!(
                "{} has the service `{name}` with the image {image}",
                self.dir.path_of(&self.name)
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
        // Portway reads the user and the password of a database there.
        found.more.push(self.key(name));
        // The client of the engine reads the same files and resolves host names of containers.
        found.more.push("map_env = false".into());
        // Docker's own grace period is ten seconds.
        found.more.push("stop = { grace = \"20s\" }".into());
        if !service.other_ports.is_empty() {
            found
                .evidence
                .push(format!("not published: {}", service.other_ports.join(", ")));
        }
        if images::is_tool(image) {
            found.optional = true;
            found
                .evidence
                .push("it is a proxy or an administration tool, so it is optional".into());
        } else if known.is_none() && !services.is_empty() && release::is_own(self.dir, image) {
            found.optional = true;
            found.evidence.push(
                "its image is a release of this project, whose code runs directly, so it is optional"
                    .into(),
            );
        }
        if engine.is_none() {
            found.optional = true;
            found
                .evidence
                .push("neither `docker` nor `podman` is installed, so it is optional".into());
        }
        if !service.profiles.is_empty() {
            found.optional = true;
            let profiles = service.profiles.join(", ");
            found.evidence.push(format!(
                "it belongs to the profile {profiles}, so it is optional"
            ));
        }
        let after = service.depends_on.iter().filter_map(|(other, condition)| {
            let known = CONDITIONS.iter().find(|(name, _)| name == condition);
            Some((other.clone(), known?.1))
        });
        Ok(Some(Container {
            found,
            name: name.to_owned(),
            after: after.collect(),
        }))
    }

    /// Sets the service's ports and returns the options that publish them.
    fn ports(
        &self,
        found: &mut DetectedService,
        ports: &[Published],
        preferred: Option<u16>,
    ) -> String {
        let port_spec = |port: &Published| {
            let usual = port.host.unwrap_or(port.container);
            // Lower ports need privileges.
            if usual < 1024 { usual + 8000 } else { usual }
        };
        if let [only] = ports {
            let usual = port_spec(only);
            found.port = Some(match preferred.filter(|&port| port != usual) {
                Some(port) => DetectedPort::Chosen { port, usual },
                None => DetectedPort::Preferred(usual),
            });
            return format!("-p {{host}}:{{port}}:{}", only.container);
        }
        found.port = None;
        let mut named: IndexMap<String, &Published> = IndexMap::new();
        for (index, port) in ports.iter().enumerate() {
            let name = match index {
                0 => "main".to_owned(),
                _ => images::port_name(port.container),
            };
            // Portway sorts `http` first.
            let name = name.replace("http", "web");
            named.insert(name, port);
        }
        let port_specs = named.iter().enumerate().map(|(index, (name, port))| {
            let port_spec = port_spec(port);
            if let Some(chosen) = preferred.filter(|&port| index == 0 && port != port_spec) {
                return format!("{name} = {{ prefer = {chosen}, usual = {port_spec} }}");
            }
            format!("{name} = {port_spec}")
        });
        let port_specs: Vec<String> = port_specs.collect();
        found
            .more
            .push(format!("ports = {{ {} }}", port_specs.join(", ")));
        let publish = named
            .iter()
            .map(|(name, port)| format!("-p {{host}}:{{ports.{name}}}:{}", port.container));
        publish.collect::<Vec<_>>().join(" ")
    }

    fn commands(
        &self,
        found: &mut DetectedService,
        name: &str,
        image: &str,
        engine: &str,
        publish: &str,
    ) {
        let mut files = format!("-f {}", quote(&self.name));
        if let Some(over) = &self.over {
            files += &format!(" -f {}", quote(over));
        }
        let service = quote(name);
        let service = literal(&service);
        let image = quote(image);
        let image = literal(&image);
        // Two services that start at the same moment can both create the network of the project. Compose
        // then refuses to use it, so all but one are removed at the next start.
        let list = format!(
            "{engine} network ls -q --filter label=com.docker.compose.project={PROJECT} --filter label=com.docker.compose.network=default"
        );
        let networks = format!(
            "for network in $({list} | sort -r); do [ $({list} | wc -l) -lt 2 ] || {engine} network rm $network; done >/dev/null 2>&1"
        );
        // The client may exit before its container has stopped, so the shell stays and waits for it.
        found.command = format!(
            "trap : TERM INT HUP; {engine} rm -f {CONTAINER} >/dev/null 2>&1; {networks}; {engine} compose {files} -p {PROJECT} run --rm --no-deps --use-aliases --label {LABEL} --name {CONTAINER} {publish} {service}; status=$?; {engine} stop {CONTAINER} >/dev/null 2>&1; {engine} rm -f {CONTAINER} >/dev/null 2>&1; exit $status"
        );
        // Pulling an image may exceed the readiness timeout.
        found.prepare = Some(format!(
            "{engine} image inspect {image} >/dev/null 2>&1 || {engine} compose {files} pull -q {service}"
        ));
        found.evidence.push(
            "its container and volumes belong to this checkout; the main checkout uses the same volumes as `compose up`".into(),
        );
    }
}

#[cfg(test)]
mod tests;
