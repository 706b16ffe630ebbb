//! Checkouts for the readers' tests.

use std::fs;
use std::path::Path;

use super::{DetectContext, DetectedPort, DetectedService, Detection, NoEngine, detect};
use portway_project::{Manifest, Plan};

/// Runs detection on a checkout with these files, on a machine with these programs, and checks that
/// the result parses as a manifest and makes a plan. `node@22` is a version of Node.
pub(super) fn checkout(files: &[(&str, &str)], programs: &[&str]) -> Detection {
    checkout_on(files, programs, false)
}

/// The same on Windows.
pub(super) fn checkout_on_windows(files: &[(&str, &str)], programs: &[&str]) -> Detection {
    checkout_on(files, programs, true)
}

fn checkout_on(files: &[(&str, &str)], programs: &[&str], is_windows: bool) -> Detection {
    let temp = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = temp.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let detection = detect(
        temp.path(),
        &DetectContext {
            has_program: &|program| programs.contains(&program),
            preferred: &|_| None,
            is_windows,
            node_major: &|| {
                let mut versions = programs.iter().filter_map(|one| one.strip_prefix("node@"));
                versions.next()?.parse().ok()
            },
            engine: &|| {
                let has_engine = programs.contains(&"docker") || programs.contains(&"podman");
                (!has_engine).then(|| NoEngine {
                    message: "`docker` is not installed".into(),
                    help: "install it".into(),
                })
            },
        },
    );
    if !detection.services.is_empty() {
        let text = detection.manifest("p");
        let manifest = Manifest::parse(Path::new("/p/portway.toml"), &text)
            .unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let mut fixed_ports: Vec<DetectedPort> = Vec::new();
        let mut all: Vec<String> = Vec::new();
        for service in &detection.services {
            let fixed = service.port.filter(|p| matches!(p, DetectedPort::Fixed(_)));
            let is_free = fixed.is_none_or(|port| !fixed_ports.contains(&port));
            if service.optional && is_free {
                all.push(service.name.clone());
            }
            fixed_ports.extend(fixed);
        }
        Plan::new(&manifest, &all).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    }
    detection
}

/// Returns the only service of a checkout with these files, on a machine with these programs.
#[track_caller]
pub(super) fn only(files: &[(&str, &str)], programs: &[&str]) -> DetectedService {
    let mut detection = checkout(files, programs);
    assert_eq!(detection.services.len(), 1, "{detection:#?}");
    detection.services.remove(0)
}

impl DetectedService {
    /// Asserts that its evidence contains this text.
    #[track_caller]
    pub(super) fn has_evidence(&self, words: &str) -> &Self {
        assert!(
            self.evidence.iter().any(|one| one.contains(words)),
            "no `{words}` in {:#?}",
            self.evidence
        );
        self
    }

    /// Returns its preferred port, unless the port is fixed.
    pub(super) fn prefers(&self) -> Option<u16> {
        match self.port {
            Some(DetectedPort::Preferred(port) | DetectedPort::Chosen { port, .. }) => Some(port),
            _ => None,
        }
    }
}

impl Detection {
    /// Returns the commands of the services, with the preferred ports of those whose port is not fixed.
    pub(super) fn commands(&self) -> Vec<(&str, Option<u16>)> {
        let all = self.services.iter();
        all.map(|one| (one.command.as_str(), one.prefers()))
            .collect()
    }
}
