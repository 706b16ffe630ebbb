//! Compose files: every published port is valid, and an error has a line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portway_detect::compose::parse;
use portway_fuzz::check_yaml_error;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(compose) => {
            for service in compose.services.values() {
                for port in &service.ports {
                    assert!(port.container > 0 && port.host != Some(0), "{port:?}");
                }
                assert!(service.image.as_ref().is_none_or(|image| !image.is_empty()));
            }
        }
        Err(error) => check_yaml_error(&error, text),
    }
});
