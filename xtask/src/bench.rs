//! `cargo xtask bench`: compare Portway with other tools.

use std::process::Command;

use crate::command::{cargo_program, run};

/// Build and run the benchmark harness, optimized like the binary that it measures.
pub(crate) fn run_harness(arguments: &[&str]) -> Result<(), String> {
    run(Command::new(cargo_program())
        .args([
            "run",
            "--quiet",
            "--release",
            "--package",
            "portway-bench",
            "--",
        ])
        .args(arguments))
}
