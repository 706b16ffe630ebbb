//! Compose files: databases and other services that a project runs in containers.
//!
//! A compose service with an image becomes a service whose command runs that container and publishes
//! its port where Portway chooses (`portway compose run`), so the file stays unchanged. Services built
//! from the checkout are left to the other readers.

mod alternatives;
mod called;
mod credentials;
mod direct;
mod dockerfile;
pub(super) mod engine;
mod environment;
mod example_env;
mod examples;
mod files;
mod images;
mod inside;
mod interpolate;
mod missing;
mod model;
mod order;
mod ports;
mod published;
mod release;
mod resolve;
mod scripts;
mod usage;
mod value;
mod workers;

use indexmap::IndexMap;

pub use self::credentials::credentials;
pub(super) use self::direct::{run_directly, runs};
pub use self::environment::environment;
pub use self::example_env::{ExampleEnv, example_env};
use self::examples::existing;
pub(super) use self::files::{File, files};
pub use self::missing::{Missing, MissingPart, missing};
pub use self::model::{Compose, Service, parse};
pub(super) use self::order::set_start_order;
pub use self::ports::Published;
pub use self::published::{PublishedFiles, PublishedService, published};
use super::shell::literal;
use super::text::quoted;
use super::{DetectContext, DetectedPort, DetectedService, Dir};
use portway_project::shell::quote;

const CONDITIONS: [(&str, &str); 4] = [
    ("", "started"),
    ("service_started", "started"),
    ("service_healthy", "ready"),
    ("service_completed_successfully", "completed"),
];

/// A service that runs in a container.
pub(super) struct Container {
    pub(super) found: DetectedService,
    /// The name of its compose service.
    name: String,
}

/// Returns the services of compose files that run in containers. `services` are the services that other
/// readers found.
pub(super) fn containers(
    files: &[File<'_>],
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

impl File<'_> {
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
                    .pass_over(&format!("{}: services.{name}", self.name()), why),
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
        let built = self.build_dir(service);
        if let Some(dir) = built.as_ref().filter(|_| self.contains_code(service)) {
            return self.built(name, dir, services).map_or(Ok(None), Err);
        }
        let extended = self.extended(service);
        let image = match (service.image.as_deref(), &service.build) {
            _ if extended.is_some() => extended.as_deref().unwrap_or_default(),
            (Some(image), _) => image,
            // The image is built; its service often has the name of what is in it.
            (None, Some(_)) if built.is_some() => name,
            (None, Some(_)) => return Err("is built from a place outside of the checkout".into()),
            (None, None) => return Err("has neither image nor build".into()),
        };
        if !services.is_empty() && self.mounts_code(service) {
            return Err(format!(
                "runs code of the project in the image {image}, and code runs directly"
            ));
        }
        if service.on_host_network {
            return Err("shares the network of the host, so its port cannot be moved".into());
        }
        let known = images::known(image);
        let mut ports = service.ports.clone();
        let internal = |container| Published {
            container,
            host: None,
        };
        if ports.is_empty() {
            let port = known.map(|known| known.port);
            let called = || self.called_ports(name, |_| true).into_iter().next();
            ports.extend(port.or_else(called).map(internal));
        }
        if !known.is_some_and(images::says_where_clients_connect) {
            let is_direct = |one: &Service| {
                (one.build.is_some() && self.contains_code(one)) || self.mounts_code(one)
            };
            let mut called = self.called_ports(name, is_direct);
            // In addresses, a port of the host counts as the one in the container.
            called.retain(|port| {
                let is = |one: &Published| one.container == *port || one.host == Some(*port);
                !ports.iter().any(is)
            });
            ports.extend(called.into_iter().map(internal));
        }
        if let Some(main) = ports
            .iter()
            .position(|port| known.is_some_and(|known| known.port == port.container))
        {
            ports[..=main].rotate_right(1);
        }
        let main = ports.first().ok_or("publishes no port")?;
        let tool = images::tool(image);
        let framework = known.map(|known| known.framework).or(tool);
        let framework = framework.unwrap_or("compose");
        let kind = known.map_or_else(|| images::kind_of(main.container), |known| known.kind);
        let preferred = (context.preferred)(framework);
        let mut found = DetectedService::http(&self.dir, framework, "", DetectedPort::Preferred(1))
            .with_kind(kind)
            .with_evidence(match (built, self.dir.path_of(self.name())) {
                (None, file) => format!("{file} has the service `{name}` with the image {image}"),
                (Some(_), file) if extended.is_some() => {
                    format!("{file} has the service `{name}`, whose Dockerfile extends the image {image}")
                }
                (Some(_), file) => {
                    format!("{file} has the service `{name}`, whose image contains no code of the project")
                }
            });
        found.name = name.to_owned();
        let publish = self.ports(&mut found, &ports, preferred);
        self.commands(&mut found, name, &publish);
        let check = service.healthcheck.as_deref();
        let check = check.or_else(|| known.and_then(|known| known.ready));
        if let Some(check) = check {
            let exec = format!("portway compose exec {}", literal(check));
            let ready = format!("ready = {{ exec = {}, timeout = \"2m\" }}", quoted(&exec));
            found.more.push(ready);
        }
        // Portway reads the user and the password of a database there.
        found.more.push(self.key(name));
        // The client of the engine reads the same files and resolves host names of containers.
        found.more.push("map_env = false".into());
        // Docker's own grace period is ten seconds.
        found.more.push("stop = { grace = \"20s\" }".into());
        found.evidence.extend(self.examples(service));
        if !service.other_ports.is_empty() {
            found
                .evidence
                .push(format!("not published: {}", service.other_ports.join(", ")));
        }
        if tool.is_some() {
            found.optional = true;
            found
                .evidence
                .push("it is a proxy or an administration tool, so it is optional".into());
        } else if known.is_none() && !services.is_empty() && release::is_own(&self.dir, image) {
            found.optional = true;
            found.evidence.push(
                "its image is a release of this project, whose code runs directly, so it is optional"
                    .into(),
            );
        }
        if let Some(why) = self.why_unused(name, service, services) {
            found.optional = true;
            found.evidence.push(format!("{why}, so it is optional"));
        }
        Ok(Some(Container {
            found,
            name: name.to_owned(),
        }))
    }

    /// Says which examples stand in for `.env` files that are missing.
    fn examples(&self, service: &Service) -> Vec<String> {
        let paths = service.env_files.iter().map(String::as_str);
        let stand_in = |path: &str| existing(&self.dir, path).filter(|found| found != path);
        let of_services = paths.filter_map(|path| Some((path, stand_in(path)?)));
        let of_variables = self.example.clone().map(|example| (".env", example));
        let mut all: Vec<String> = Vec::new();
        for (path, example) in of_services.chain(of_variables) {
            let whole =
                |path| value::join(self.dir.path(), path).unwrap_or_else(|| path.to_owned());
            let line = format!(
                "{} is missing, so the values of {} apply",
                whole(path),
                whole(&example)
            );
            if !all.contains(&line) {
                all.push(line);
            }
        }
        all
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
            return format!("--publish {{host}}:{{port}}:{}", only.container);
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
            .map(|(name, port)| format!("--publish {{host}}:{{ports.{name}}}:{}", port.container));
        publish.collect::<Vec<_>>().join(" ")
    }

    fn commands(&self, found: &mut DetectedService, name: &str, publish: &str) {
        // Compose finds the usual files itself.
        let files = match self.is_usual {
            true => &[][..],
            false => &self.names,
        };
        let files = files.iter().map(|name| format!("--file {} ", quote(name)));
        let files: String = files.collect();
        let files = literal(&files);
        let service = quote(name);
        let service = literal(&service);
        found.command = format!("portway compose run {files}{publish} {service}");
        // Pulling an image may exceed the readiness timeout.
        found.prepare = Some(format!("portway compose pull {files}{service}"));
        let mut volumes = "its container and volumes belong to this checkout".to_owned();
        if self.has_usual_project {
            volumes += "; the main checkout uses the same volumes as `compose up`";
        }
        found.evidence.push(volumes);
    }
}

#[cfg(test)]
mod tests;
