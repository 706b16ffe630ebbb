//! `cargo xtask chaos`: fault injection.

use std::process::Command;

use crate::command::{cargo_program, run};

/// Build the harness and the Portway binary that it tests, then run the harness.
pub(crate) fn run_harness(arguments: &[&str]) -> Result<(), String> {
    let packages = ["--package", "portway", "--package", "portway-chaos"];
    run(Command::new(cargo_program())
        .args(["build", "--quiet", "--bins"])
        .args(packages))?;
    run(Command::new(cargo_program())
        .args(["run", "--quiet", "--package", "portway-chaos", "--"])
        .args(arguments))
}
