//! `process-compose.yaml`: an error has a line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portway_detect::process_compose::parse;
use portway_fuzz::check_yaml_error;

fuzz_target!(|text: &str| {
    if let Err(error) = parse(text) {
        check_yaml_error(&error, text);
    }
});
