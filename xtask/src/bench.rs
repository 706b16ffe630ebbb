//! `cargo xtask bench`: Portway measured beside its peers.

use std::process::Command;

use crate::steps::run;

/// Hands over to the harness, which is a program of its own, built as what it measures is.
pub(crate) fn run_harness(arguments: &[&str]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
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
