//! `portway.toml`: it has a plan and a wiring, or an error with a location.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use portway_fuzz::{check_diagnostic, check_plan};
use portway_project::Manifest;

fuzz_target!(|text: &str| {
    match Manifest::parse(Path::new("/project/portway.toml"), text) {
        Err(error) => check_diagnostic(&error),
        Ok(manifest) => {
            let optional = manifest
                .services
                .iter()
                .filter(|(_, service)| service.optional);
            let optional: Vec<String> = optional.map(|(name, _)| name.clone()).collect();
            let without = check_plan(&manifest, &[]).is_ok();
            let with_all = check_plan(&manifest, &optional).is_ok();
            // Errors of optional services are reported even if the services are not enabled. The
            // exception are two services that require one port: they are valid one at a time.
            assert!(
                !with_all || without,
                "the plan is valid with all optional services and invalid without them"
            );
        }
    }
});
