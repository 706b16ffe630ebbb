//! What a person has written down, as a manifest: whatever the files say, the text that is made of
//! them is a manifest, and a plan unless its services wait for each other.
//!
//! A line `#= Procfile` begins the text of that file.

#![no_main]

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use portway_fuzz::use_up;
use portway_project::Manifest;
use portway_detect::{DetectedPort, DetectContext, detect};

/// The files that may be named.
const FILES: [&str; 8] = [
    "Procfile",
    "Procfile.dev",
    "compose.yaml",
    "docker-compose.override.yml",
    "docker-compose.yml",
    "process-compose.yaml",
    "process-compose.override.yaml",
    ".env",
];

fuzz_target!(|text: &str| {
    let temporary = tempfile::tempdir().expect("a directory can be made");
    let mut any = false;
    for part in text.split("#= ").skip(1) {
        let (name, content) = part.split_once('\n').unwrap_or((part, ""));
        if FILES.contains(&name.trim()) {
            fs::write(temporary.path().join(name.trim()), content).expect("a file can be written");
            any = true;
        }
    }
    if !any {
        return;
    }
    let engine = text.len() % 2 == 0;
    let surroundings = DetectContext {
        has_program: &|program| engine && program == "docker",
        preferred: &|_| None,
    };
    let detection = detect(temporary.path(), &surroundings);
    let made = detection.manifest("a \"project\"");
    let manifest = Manifest::parse(Path::new("/project/portway.toml"), &made);
    let manifest = manifest.unwrap_or_else(|error| panic!("{}: {error}\n{made}", error.location()));
    assert_eq!(manifest.services.len(), detection.services.len());
    if manifest.services.is_empty() {
        return;
    }
    // A service that requires the port of another service is optional: one at a time.
    let mut insisted = Vec::new();
    let mut optional = Vec::new();
    for service in &detection.services {
        let port = service
            .port
            .filter(|port| matches!(port, DetectedPort::Fixed(_)));
        if service.optional && port.is_none_or(|port| !insisted.contains(&port)) {
            optional.push(service.name.clone());
        }
        insisted.extend(port);
    }
    if let Err(error) = use_up(&manifest, &optional) {
        // The files themselves can say that.
        let circle = error.message.starts_with("services wait for each other");
        assert!(circle, "{}: {error}\n{made}", error.location());
    }
});
