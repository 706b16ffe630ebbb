//! `cargo xtask conformance`: run suites that others wrote for HTTP and WebSocket against the gateway.

use std::path::PathBuf;
use std::process::Command;

use crate::command::{cargo, root, run};
use crate::system::is_installed;
use crate::wstest;

/// h2spec, a suite for HTTP/2, as a Go module.
const H2SPEC: &str = "github.com/summerwind/h2spec/cmd/h2spec@v2.6.0";

/// Run all suites that are installed or can be installed.
///
/// # Errors
/// If a suite finds a fault, or cannot be installed.
pub(crate) fn run_suites() -> Result<(), String> {
    let suites = [
        ("h2spec", "PORTWAY_H2SPEC", h2spec()),
        ("autobahn", "PORTWAY_WSTEST_PYTHON", wstest::ensure()),
    ];
    let mut missing = Vec::new();
    for (name, variable, program) in suites {
        match program {
            Ok(program) => {
                println!("== {name}");
                let test = "test --package portway-gateway --test it -- --ignored --nocapture";
                run(cargo(test).arg(name).env(variable, program))?;
            }
            Err(error) => missing.push(format!("{name} did not run: {error}")),
        }
    }
    match missing.as_slice() {
        [] => Ok(()),
        missing => Err(missing.join("\n")),
    }
}

/// Return the path of h2spec; install it with Go if it is missing.
fn h2spec() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directory = root().join("target/tools/go");
    let found = std::env::split_paths(&path)
        .chain([directory.clone()])
        .map(|directory| directory.join("h2spec"))
        .find(|program| program.is_file());
    if let Some(found) = found {
        return Ok(found);
    }
    if !is_installed("go") {
        return Err(format!(
            "`h2spec` is missing; put it into PATH, or install Go, with which this task installs {H2SPEC}"
        ));
    }
    println!("== installing h2spec into target/tools");
    run(Command::new("go")
        .args(["install", H2SPEC])
        .env("GOBIN", &directory))?;
    Ok(directory.join("h2spec"))
}
