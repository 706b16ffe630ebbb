//! What a shell offers while a command line is typed: names of services, directories of instances, ports.
//!
//! Reads only: it starts nothing and writes nothing. What is not known within [`BUDGET`] is left out.

mod install;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use portway_detect::DetectContext;
use portway_project::Manifest;
use portway_project::manifest::ManifestError;
use portway_registry::{Instance, Lease};

use crate::dirs;
use crate::leases;
use crate::registry::RegistryReader;

pub use install::{SHELLS, install};

/// How long the candidates may take, so that a shell shows them at once.
pub const BUDGET: Duration = Duration::from_millis(20);

/// The longest name of a service or of a group.
const MAX_NAME: usize = 63;

/// One candidate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// What is inserted.
    pub value: String,
    /// What it is, in a few words; may be empty.
    pub about: String,
}

impl Candidate {
    fn new(value: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            about: about.into(),
        }
    }
}

/// Which names of a project are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Services only.
    Services,
    /// Services and groups.
    WithGroups,
    /// Optional services only.
    Optional,
    /// Services, and `SERVICE.NAME` for named ports.
    Ports,
}

/// Returns the names in the project of `directory`.
pub fn names(directory: Option<&Path>, names: Names) -> Vec<Candidate> {
    let Ok(directory) = dirs::directory(directory) else {
        return Vec::new();
    };
    // A manifest is one small file, so it is always read.
    let (known, is_missing) = match Manifest::find(&directory) {
        Ok(manifest) => (from_manifest(&manifest, names), false),
        Err(ManifestError::Missing(_)) => (Vec::new(), true),
        // An invalid manifest names no service for certain.
        Err(_) => return Vec::new(),
    };
    within(BUDGET, known, move |found| {
        if names != Names::Optional {
            let (project, found) = (directory.clone(), found.clone());
            // The registry responds at once, and detection in a large checkout may not.
            thread::spawn(move || from_registry(&project, names, &found));
        }
        if is_missing {
            from_detection(&directory, names, &found);
        }
    })
}

/// Returns the directories of all instances, with their names.
pub fn instances() -> Vec<Candidate> {
    within(BUDGET, Vec::new(), |found| {
        let Ok(all) = RegistryReader::open().and_then(|mut registry| registry.instances()) else {
            return;
        };
        for (instance, ..) in all {
            if let Some(dir) = instance.dir.to_str() {
                // The receiver is gone after the budget.
                let _ = found.send(Candidate::new(dir, instance.name));
            }
        }
    })
}

/// Returns the ports with a lease, and whose they are.
pub fn ports() -> Vec<Candidate> {
    within(BUDGET, Vec::new(), |found| {
        for lease in leases::list().unwrap_or_default() {
            let about = format!(
                "{} of {}",
                lease.lease.owner.service, lease.lease.owner.instance
            );
            let _ = found.send(Candidate::new(lease.port.to_string(), about));
        }
    })
}

/// Returns what is `known` and what `search` finds within `budget`, sorted, with the first description of
/// each. A search that takes longer ends with the process.
fn within(
    budget: Duration,
    known: Vec<Candidate>,
    search: impl FnOnce(Sender<Candidate>) + Send + 'static,
) -> Vec<Candidate> {
    let deadline = Instant::now() + budget;
    let (sender, receiver) = channel();
    thread::spawn(move || search(sender));
    let known = known.into_iter().map(|one| (one.value, one.about));
    let mut all: BTreeMap<String, String> = known.collect();
    while let Some(left) = deadline.checked_duration_since(Instant::now()) {
        let Ok(Candidate { value, about }) = receiver.recv_timeout(left) else {
            break;
        };
        let known = all.entry(value).or_default();
        if known.is_empty() {
            *known = about;
        }
    }
    let candidates = all.into_iter();
    candidates
        .map(|(value, about)| Candidate { value, about })
        .collect()
}

/// Returns a name, unless no manifest could contain it: it may come from a file that is not valid.
fn valid(name: &str, about: impl Into<String>) -> Option<Candidate> {
    let is_valid = name.split('.').all(is_name);
    is_valid.then(|| Candidate::new(name, about))
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn from_registry(directory: &Path, names: Names, found: &Sender<Candidate>) {
    let Ok(all) = RegistryReader::open().and_then(|mut registry| registry.instances()) else {
        return;
    };
    let known = all
        .iter()
        .map(|(instance, leases, _)| (instance, leases.as_slice()));
    for (name, port) in leased(known, directory, names) {
        if let Some(one) = valid(&name, format!("port {port}")) {
            // The receiver is gone after the budget.
            let _ = found.send(one);
        }
    }
}

/// Returns the names and ports of the instance around a directory.
fn leased<'a>(
    instances: impl Iterator<Item = (&'a Instance, &'a [Lease])>,
    directory: &Path,
    names: Names,
) -> Vec<(String, u16)> {
    let around = instances.filter(|(instance, _)| directory.starts_with(&instance.dir));
    let closest = around.max_by_key(|(instance, _)| instance.dir.components().count());
    let leases = closest.map_or(&[][..], |(_, leases)| leases);
    let offered = leases.iter().filter(|lease| !lease.is_observed());
    offered
        .filter_map(|lease| match (lease.name.as_str(), names) {
            ("", _) => Some((lease.service.clone(), lease.port)),
            (name, Names::Ports) => Some((format!("{}.{name}", lease.service), lease.port)),
            _ => None,
        })
        .collect()
}

fn from_manifest(manifest: &Manifest, names: Names) -> Vec<Candidate> {
    let mut all = Vec::new();
    for (name, service) in &manifest.services {
        if names == Names::Optional && !service.optional {
            continue;
        }
        all.extend(valid(name, ""));
        if names == Names::Ports {
            let ports = service.ports.keys();
            all.extend(ports.filter_map(|port| valid(&format!("{name}.{port}"), "")));
        }
    }
    if names == Names::WithGroups {
        all.extend(
            manifest
                .groups
                .keys()
                .filter_map(|name| valid(name, "group")),
        );
    }
    all
}

fn from_detection(directory: &Path, names: Names, found: &Sender<Candidate>) {
    let context = DetectContext {
        has_program: &dirs::has_program,
        preferred: &|_| None,
        is_windows: cfg!(windows),
        // To find a container engine or a version, programs would be started.
        node_major: &|| None,
        engine: &|| None,
    };
    let (_, detection): (PathBuf, _) = portway_detect::find(directory, &context);
    for service in detection.services {
        if names != Names::Optional || service.optional {
            let _ = found.send(Candidate::new(service.name, service.framework));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_the_names_of_a_manifest() {
        let text = "[services.api]\ncommand = 'a'\n[services.api.ports]\nmetrics = '9100-9199'\n\
                    [services.'x y']\ncommand = 'a'\n[services.'$(x)']\ncommand = 'a'\n\
                    [services.mail]\ncommand = 'a'\noptional = true\n[groups]\nall = ['api']\n";
        let manifest = Manifest::parse(Path::new("/p/portway.toml"), text).unwrap();
        let offered = |names| {
            let all = from_manifest(&manifest, names).into_iter();
            all.map(|one| one.value).collect::<Vec<_>>()
        };
        assert_eq!(offered(Names::Services), ["api", "mail"]);
        assert_eq!(offered(Names::WithGroups), ["api", "mail", "all"]);
        assert_eq!(offered(Names::Optional), ["mail"]);
        assert_eq!(offered(Names::Ports), ["api", "api.metrics", "mail"]);
    }

    #[test]
    fn leaves_out_what_needs_quotes() {
        for name in [
            "", "a b", "a'b", "a\"b", "$(x)", "`x`", "-a", "a;b", "a\nb", "é",
        ] {
            assert_eq!(valid(name, ""), None, "{name:?}");
        }
        assert!(valid("a-b_1.c", "").is_some());
    }

    #[test]
    fn what_takes_too_long_is_left_out() {
        let slow = |found: Sender<Candidate>| {
            let _ = found.send(Candidate::new("a", ""));
            let _ = found.send(Candidate::new("a", "port 1"));
            thread::sleep(Duration::from_secs(60));
        };
        let start = Instant::now();
        let known = vec![Candidate::new("b", "")];
        let found = within(Duration::from_millis(50), known, slow);
        assert!(found.contains(&Candidate::new("b", "")), "{found:?}");
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
