//! Ports that the files of a frontend call as numbers, such as `http://localhost:8000` in the source of
//! a page or as the target of a development server's proxy. Such a number is the preferred port of the
//! backend that it means.
//!
//! Input: the detected services with their names, and the files in their directories. Output: the
//! preferred ports of backends, with the place that calls them.

mod config;
mod source;

use std::collections::BTreeSet;
use std::path::Path;

use regex_lite::Regex;

use super::javascript::without_comments;
use super::{DetectedPort, DetectedService, Dir};
use portway_project::kind::Kind;

/// Returns whether a place, such as `web/vite.config.ts:12`, is in the configuration of a development server's
/// proxy.
pub fn configures_proxy(place: &str) -> bool {
    let (file, _) = place.rsplit_once(':').unwrap_or((place, ""));
    let name = file.rsplit('/').next().unwrap_or(file);
    name == "package.json" || config::word(name).is_some()
}

/// A place that calls a port of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    port: u16,
    /// File and line, relative to the root.
    place: String,
}

/// Ports of programs that are rarely part of a checkout although pages call them: Ollama, the Firebase
/// emulators, LocalStack, MailHog and Mailpit.
const OTHER_PROGRAMS: [u16; 5] = [4566, 8025, 9099, 9199, 11434];

/// Sets the preferred ports of the backends that the files of frontends call. The first `programs` services
/// run code of the project, the others are containers.
pub(super) fn prefer_called_ports(root: &Path, services: &mut [DetectedService], programs: usize) {
    // What cannot be read here is not needed.
    let records = crate::records::Records::default();
    let root = Dir::open(root, "", &records);
    if !services.iter().any(is_backend) || !services.iter().any(is_frontend) {
        return;
    }
    let dirs: BTreeSet<String> = services.iter().map(|one| one.dir.clone()).collect();
    let own: BTreeSet<u16> = services
        .iter()
        .filter(|one| !is_backend(one))
        .filter_map(usual_port)
        .collect();
    let (mut configured, mut written, mut defaults) = (Vec::new(), Vec::new(), Vec::new());
    let mut read = BTreeSet::new();
    for frontend in services.iter().filter(|one| is_frontend(one)) {
        if let Some(dir) = root
            .below(&frontend.dir)
            .filter(|_| read.insert(frontend.dir.clone()))
        {
            configured.extend(config::calls(&dir, false));
            defaults.extend(config::calls(&dir, true));
            written.extend(source::calls(&dir, &dirs));
        }
    }
    let is_other = |call: &Call| !own.contains(&call.port);
    configured.retain(is_other);
    written.retain(is_other);
    // Ports that a backend has anyway.
    for call in configured.iter().chain(&written) {
        let mut named: Vec<&mut DetectedService> = services
            .iter_mut()
            .filter(|one| is_backend(one) && usual_port(one) == Some(call.port))
            .collect();
        if let [only] = &mut named[..] {
            set(only, call);
        }
    }
    // Pages call a backend that a compose file publishes elsewhere where it is without Compose.
    for call in configured.iter().chain(&written).chain(&defaults) {
        let is_published = services
            .iter()
            .any(|one| usual_ports(one).contains(&call.port) || one.called_by.is_some());
        let mut own: Vec<&mut DetectedService> = services
            .iter_mut()
            .filter(|one| is_backend(one) && one.unpublished_ports.contains(&call.port))
            .collect();
        if let ([only], false) = (&mut own[..], is_published) {
            set(only, call);
        }
    }
    // A port that no service has is that of the only backend.
    let has: BTreeSet<u16> = services.iter().flat_map(usual_ports).collect();
    let is_unknown = |call: &&Call| !has.contains(&call.port);
    let mut backends: Vec<&mut DetectedService> = services[..programs]
        .iter_mut()
        .filter(|one| is_backend(one))
        .collect();
    let [only] = &mut backends[..] else {
        return;
    };
    if only.called_by.is_some() || only.is_port_written {
        return;
    }
    for calls in [&configured, &written] {
        let is_likely = |call: &&Call| !OTHER_PROGRAMS.contains(&call.port);
        let mut unknown = calls.iter().filter(is_unknown).filter(is_likely);
        if let Some(first) = unknown.next() {
            if unknown.all(|call| call.port == first.port) {
                set(only, first);
            }
            return;
        }
    }
}

/// Makes the called port the preferred one of a backend, unless its code requires another.
fn set(backend: &mut DetectedService, call: &Call) {
    let Call { port, place } = call;
    if backend.called_by.is_some() {
        return;
    }
    match &mut backend.port {
        Some(DetectedPort::Preferred(own)) => {
            *own = *port;
            backend.called_by = Some(place.clone());
            backend.evidence.push(format!(
                "it prefers port {port} because `{place}` calls port {port}"
            ));
        }
        // The user's preference overrides the project's files.
        Some(DetectedPort::Chosen { usual, .. }) => {
            *usual = *port;
            backend
                .evidence
                .push(format!("`{place}` calls port {port} as a number"));
        }
        Some(DetectedPort::Fixed(_)) => {
            backend
                .evidence
                .push(format!("`{place}` calls port {port} as a number"));
        }
        None => {}
    }
}

fn is_frontend(service: &DetectedService) -> bool {
    service.kind == Kind::Frontend
}

/// Returns whether a page can call the service.
fn is_backend(service: &DetectedService) -> bool {
    service.port.is_some() && service.kind == Kind::Http && !service.optional
}

/// The port under which the project's files know a service.
fn usual_port(service: &DetectedService) -> Option<u16> {
    match service.port? {
        DetectedPort::Preferred(port) | DetectedPort::Fixed(port) => Some(port),
        DetectedPort::Chosen { usual, .. } => Some(usual),
    }
}

/// The ports under which the project's files know a service, which may have several.
fn usual_ports(service: &DetectedService) -> Vec<u16> {
    let several = service
        .more
        .iter()
        .filter_map(|line| line.strip_prefix("ports = "));
    let numbers = several.flat_map(|ports| ports.split(|c: char| !c.is_ascii_alphanumeric()));
    let numbers = numbers.filter_map(|word| word.parse().ok());
    usual_port(service).into_iter().chain(numbers).collect()
}

/// Returns the addresses of this machine in a text, with their lines. An address that is only the default
/// of a variable does not count, because the variable overrides it, except `with_defaults`.
fn addresses(text: &str, address: &Regex, with_defaults: bool) -> Vec<(u16, usize)> {
    // Nearly all files contain none, and this search is much faster than the expression.
    if !HOSTS.iter().any(|host| text.contains(host)) || !address.is_match(text) {
        return Vec::new();
    }
    let mut all = Vec::new();
    for (index, line) in without_comments(text).lines().enumerate() {
        if line.len() > MAX_LINE {
            continue;
        }
        for found in address.captures_iter(line) {
            let (Some(whole), Some(port)) = (found.get(0), found.get(1)) else {
                continue;
            };
            let before = line[..whole.start()].to_ascii_lowercase();
            let is_counted = |word: &&&str| !(with_defaults && word.starts_with("env"));
            let mut others = NOT_CALLS.iter().filter(is_counted);
            let is_call = !others.any(|word| before.contains(word));
            if let Ok(port) = port.as_str().parse::<u16>()
                && port >= 80
                && is_call
            {
                all.push((port, index + 1));
            }
        }
    }
    all
}

/// Names of this machine.
const HOSTS: [&str; 4] = ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"];

/// Maximum length of a line that is searched, in bytes; longer lines are generated.
const MAX_LINE: usize = 500;

/// Words before an address that nothing calls: defaults of variables, origins that a server accepts,
/// messages.
const NOT_CALLS: [&str; 11] = [
    "env.", "env[", "env(", "env?.", "environ.", "environ[", "cors", "allowed", "origin",
    "console.", "referer",
];

#[cfg(test)]
mod tests;
