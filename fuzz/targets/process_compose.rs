//! `process-compose.yaml`: it is read, or the error has its line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portway_fuzz::has_line;
use portway_detect::process_compose::parse;

fuzz_target!(|text: &str| {
    if let Err(error) = parse(text) {
        has_line(&error, text);
    }
});
