//! What Dockerfiles say about the services that are built with them.

use portway_project::kind::Kind;

use super::resolve::place;
use super::{File, Service, images, value};
use crate::{DetectedPort, DetectedService};

/// Images that serve the files of a build instead of running the code.
const WEB_SERVERS: [&str; 6] = [
    "caddy",
    "httpd",
    "nginx",
    "nginx-unprivileged",
    "static-web-server",
    "traefik",
];

/// Images of languages, in which a compose file runs code that it mounts.
const LANGUAGES: [&str; 18] = [
    "bun",
    "composer",
    "deno",
    "denoland",
    "eclipse-temurin",
    "elixir",
    "golang",
    "gradle",
    "maven",
    "node",
    "openjdk",
    "php",
    "pypy",
    "python",
    "ruby",
    "rust",
    "sdk",
    "uv",
];

/// Ports of debuggers and of servers that reload pages.
const DEBUGGERS: [u16; 8] = [2345, 5005, 5678, 9229, 9230, 24678, 35729, 40000];

/// Lowest port that needs no privileges.
const FIRST_FREE: u16 = 1024;

impl File<'_> {
    /// Returns the text of the Dockerfile of a service that is built from the checkout.
    pub(super) fn dockerfile(&self, service: &Service) -> Option<String> {
        let context = value::join(self.dir.path(), service.build.as_deref()?)?;
        let name = service.dockerfile.as_deref().unwrap_or("Dockerfile");
        let path = value::relative(self.dir.path(), &value::join(&context, name)?);
        let (dir, file) = place(&self.dir, &path)?;
        dir.has(&file).then(|| dir.read(&file)).flatten()
    }

    /// Returns the paths, relative to the root, of what a service mounts and of what its Dockerfile copies.
    pub(super) fn code(&self, service: &Service) -> Vec<String> {
        let join = |dir: &str, path: &str| value::join(dir, path.trim_end_matches('/'));
        let own = self.dir.path();
        let mounted = service.mounts.iter();
        let mounted = mounted.filter_map(|(path, _)| join(own, path));
        let context = service.build.as_deref().and_then(|path| join(own, path));
        let text = self.dockerfile(service).unwrap_or_default();
        let copied = copied(&text).into_iter();
        mounted
            .chain(copied.filter_map(|path| join(context.as_deref()?, path)))
            .collect()
    }

    /// Returns whether a service runs code of the checkout, which it mounts, in the image of a language.
    pub(super) fn mounts_code(&self, service: &Service) -> bool {
        let image = service.image.as_deref().filter(|_| service.build.is_none());
        image.is_some_and(|image| {
            !service.mounts.is_empty() && LANGUAGES.contains(&images::last_component(image))
        })
    }

    /// Returns whether the image of a service contains code of the project: its Dockerfile copies some, or
    /// the code is mounted, or there is a language and nothing else. Otherwise, it is an image of its own,
    /// such as that of a mail server.
    pub(super) fn contains_code(&self, service: &Service) -> bool {
        let copies = |text: String| !copied(&text).is_empty() || is_language_only(&text);
        self.extended(service).is_none()
            && (!service.mounts.is_empty()
                || service.runs().is_some()
                || self.dockerfile(service).is_none_or(copies))
    }

    /// Returns the known image that a service is built on, such as that of a database to which the
    /// Dockerfile adds a script: `FROM postgres:17`.
    pub(super) fn extended(&self, service: &Service) -> Option<String> {
        service.build.as_ref()?;
        let image = base(&self.dockerfile(service)?)?.to_owned();
        images::known(&image).map(|_| image)
    }

    /// Returns the port of the machine on which the compose file publishes the program of `service`, which
    /// runs directly. Nothing if the image does not run that program, or if several ports are published.
    pub(super) fn published_port(
        &self,
        service: &DetectedService,
        compose: &Service,
    ) -> Option<u16> {
        let Some(DetectedPort::Preferred(own)) = service.port else {
            return None;
        };
        let is_free = |host: &u16| *host >= FIRST_FREE;
        if let Some(port) = compose.ports.iter().find(|port| port.container == own) {
            return port.host.filter(is_free);
        }
        let text = self.dockerfile(compose).unwrap_or_default();
        // A page's development server differs from what serves the page in a container.
        let is_known = service.is_port_written || service.kind != Kind::Http;
        if is_known || !compose.is_published || serves_files(&text) {
            return None;
        }
        let mut ports = compose.ports.iter();
        let [only] = &ports
            .by_ref()
            .filter(|port| !DEBUGGERS.contains(&port.container))
            .collect::<Vec<_>>()[..]
        else {
            return None;
        };
        only.host.filter(is_free)
    }
}

/// Returns the paths that a Dockerfile copies from its context.
fn copied(text: &str) -> Vec<&str> {
    copies(text).into_iter().map(|(from, _)| from).collect()
}

/// Returns the paths that a Dockerfile copies from its context, each with its path in the image.
pub(super) fn copies(text: &str) -> Vec<(&str, &str)> {
    let mut paths = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let instruction = words.next().unwrap_or_default().to_ascii_uppercase();
        let is_copy = ["ADD", "COPY"].contains(&instruction.as_str());
        let rest: Vec<&str> = words.collect();
        if !is_copy || rest.iter().any(|word| word.starts_with("--from=")) {
            continue;
        }
        let sources = rest.iter().filter(|word| !word.starts_with("--"));
        let sources: Vec<&str> = sources
            .map(|word| word.trim_matches(['[', ']', ',', '"']))
            .collect();
        if let Some((target, sources)) = sources.split_last() {
            paths.extend(sources.iter().map(|source| (*source, *target)));
        }
    }
    paths
}

/// Returns the image of the last stage of a Dockerfile.
fn base(text: &str) -> Option<&str> {
    text.lines().rev().find_map(|line| {
        let mut words = line.split_whitespace();
        let is_from = words.next()?.eq_ignore_ascii_case("from");
        is_from.then(|| words.find(|word| !word.starts_with("--")))?
    })
}

/// Returns the last component of the name of that image.
fn base_name(text: &str) -> Option<&str> {
    base(text).map(images::last_component)
}

/// Returns whether the last stage of a Dockerfile is a web server.
fn serves_files(text: &str) -> bool {
    base_name(text).is_some_and(|image| WEB_SERVERS.contains(&image))
}

/// Returns whether a Dockerfile installs nothing on the image of a language.
fn is_language_only(text: &str) -> bool {
    let installs = |line: &str| {
        let first = line.split_whitespace().next().unwrap_or_default();
        first.eq_ignore_ascii_case("run")
    };
    base_name(text).is_some_and(|image| LANGUAGES.contains(&image)) && !text.lines().any(installs)
}
