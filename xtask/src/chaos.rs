//! `cargo xtask chaos`: Portway beaten up.

use std::process::Command;

use crate::steps::run;

/// Hands over to the harness, a program of its own, and to the binary that it beats.
pub(crate) fn run_harness(arguments: &[&str]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let packages = ["--package", "portway", "--package", "portway-chaos"];
    run(Command::new(&cargo)
        .args(["build", "--quiet", "--bins"])
        .args(packages))?;
    run(Command::new(&cargo)
        .args(["run", "--quiet", "--package", "portway-chaos", "--"])
        .args(arguments))
}
