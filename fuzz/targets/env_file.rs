//! `.env` files: what was read can be written and read again, and an error has a line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portway_project::dotenv::parse;
use portway_project::export::ExportFormat;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(variables) => {
            for name in variables.keys() {
                assert!(
                    !name.is_empty() && !name.contains(['=', '\0', '\n', ' ']),
                    "{name:?}"
                );
            }
            let written = ExportFormat::Dotenv.format(&variables);
            assert_eq!(
                parse(&written).expect("written text can be read"),
                variables
            );
        }
        Err(error) => {
            assert!(
                (1..=text.split('\n').count()).contains(&error.line),
                "{error:?}"
            );
            assert!(!error.message.is_empty());
        }
    }
});
