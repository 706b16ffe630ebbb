//! Detection in a checkout with Procfiles, compose files, and process-compose files: the generated
//! text is a valid manifest, and has a valid plan unless its services wait for each other.
//!
//! A line `#= Procfile` starts the text of that file.

#![no_main]

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use portway_detect::{DetectContext, DetectedPort, DetectedService, detect};
use portway_fuzz::check_plan;
use portway_project::Manifest;

/// The files that an input may contain.
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
    let checkout = tempfile::tempdir().expect("a directory can be created");
    let mut has_files = false;
    for part in text.split("#= ").skip(1) {
        let (name, content) = part.split_once('\n').unwrap_or((part, ""));
        if FILES.contains(&name.trim()) {
            fs::write(checkout.path().join(name.trim()), content).expect("a file can be written");
            has_files = true;
        }
    }
    if !has_files {
        return;
    }
    let has_docker = text.len() % 2 == 0;
    let context = DetectContext {
        has_program: &|program| has_docker && program == "docker",
        preferred: &|_| None,
        is_windows: text.len() % 3 == 0,
        engine: &|| None,
    };
    let detection = detect(checkout.path(), &context);
    let text = detection.manifest("a \"project\"");
    let manifest = Manifest::parse(Path::new("/project/portway.toml"), &text);
    let manifest = manifest.unwrap_or_else(|error| panic!("{}: {error}\n{text}", error.location()));
    assert_eq!(manifest.services.len(), detection.services.len());
    if manifest.services.is_empty() {
        return;
    }
    // Services that require the same port are optional. Enable one of them.
    let mut fixed = Vec::new();
    let mut optional = Vec::new();
    for service in &detection.services {
        let port = service
            .port
            .filter(|port| matches!(port, DetectedPort::Fixed(_)));
        if service.optional && port.is_none_or(|port| !fixed.contains(&port)) {
            optional.push(service.name.clone());
        }
        fixed.extend(port);
    }
    if let Err(error) = check_plan(&manifest, &optional) {
        // The files can declare a cycle.
        let is_cycle = has_cycle(&detection.services);
        assert!(is_cycle, "{}: {error}\n{text}", error.location());
    }
});

/// Whether some services wait for each other.
fn has_cycle(services: &[DetectedService]) -> bool {
    let mut waiting: Vec<&DetectedService> = services.iter().collect();
    loop {
        let count = waiting.len();
        let names: Vec<&str> = waiting
            .iter()
            .map(|service| service.name.as_str())
            .collect();
        // Remove the services that can start now.
        waiting.retain(|service| {
            let mut after = service.after.iter();
            after.any(|(other, _)| names.contains(&other.as_str()))
        });
        if waiting.is_empty() || waiting.len() == count {
            return !waiting.is_empty();
        }
    }
}
