//! `.env` files: what is read can be written and read again, and an error has its line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portway_project::env_file::parse;
use portway_project::env_format::EnvFormat;

fuzz_target!(|text: &str| {
    match parse(text) {
        Ok(variables) => {
            for name in variables.keys() {
                assert!(
                    !name.is_empty() && !name.contains(['=', '\0', '\n', ' ']),
                    "{name:?}"
                );
            }
            let written = EnvFormat::Dotenv.write(&variables);
            assert_eq!(
                parse(&written).expect("what is written can be read"),
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
