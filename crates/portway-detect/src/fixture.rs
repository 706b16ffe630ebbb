//! Checkouts for the readers' tests.

use std::fs;
use std::path::Path;

use super::{Detection, Found, FoundPort, Surroundings, detect};
use portway_project::{Manifest, Plan};

/// What is found in a checkout with these files, on a machine with these programs. Whatever it is,
/// it must make a manifest from which a plan can be made.
pub(super) fn checkout(files: &[(&str, &str)], programs: &[&str]) -> Detection {
    let temp = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = temp.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let detection = detect(
        temp.path(),
        &Surroundings {
            has_program: &|program| programs.contains(&program),
            preferred: &|_| None,
        },
    );
    if !detection.services.is_empty() {
        let text = detection.manifest("p");
        let manifest = Manifest::parse(Path::new("/p/portway.toml"), &text)
            .unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let mut insisted: Vec<FoundPort> = Vec::new();
        let mut all: Vec<String> = Vec::new();
        for service in &detection.services {
            let insists = service.port.filter(|p| matches!(p, FoundPort::Only(_)));
            let is_free = insists.is_none_or(|port| !insisted.contains(&port));
            if service.optional && is_free {
                all.push(service.name.clone());
            }
            insisted.extend(insists);
        }
        Plan::new(&manifest, &all).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    }
    detection
}

/// The only service in a checkout with these files, on a machine with these programs.
#[track_caller]
pub(super) fn only(files: &[(&str, &str)], programs: &[&str]) -> Found {
    let mut detection = checkout(files, programs);
    assert_eq!(detection.services.len(), 1, "{detection:#?}");
    detection.services.remove(0)
}

impl Found {
    /// Whether a sentence of its evidence has these words.
    #[track_caller]
    pub(super) fn says(&self, words: &str) -> &Self {
        assert!(
            self.evidence.iter().any(|one| one.contains(words)),
            "no `{words}` in {:#?}",
            self.evidence
        );
        self
    }

    /// Its preferred port, where others will do.
    pub(super) fn prefers(&self) -> Option<u16> {
        match self.port {
            Some(FoundPort::Prefer(port)) => Some(port),
            _ => None,
        }
    }
}
