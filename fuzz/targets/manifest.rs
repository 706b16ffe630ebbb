//! `portway.toml`: it makes a plan and a wiring, or an error with its place.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use portway_fuzz::{has_place, use_up};
use portway_project::Manifest;

fuzz_target!(|text: &str| {
    match Manifest::parse(Path::new("/project/portway.toml"), text) {
        Err(error) => has_place(&error),
        Ok(manifest) => {
            let optional = manifest
                .services
                .iter()
                .filter(|(_, service)| service.optional);
            let optional: Vec<String> = optional.map(|(name, _)| name.clone()).collect();
            let alone = use_up(&manifest, &[]).is_ok();
            let whole = use_up(&manifest, &optional).is_ok();
            // What is wrong with an optional service is told before it is asked for; only two
            // services that insist on one port may be apart in time.
            assert!(
                !whole || alone,
                "all of it fits together, and a part of it does not"
            );
        }
    }
});
