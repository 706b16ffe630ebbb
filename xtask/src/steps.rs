//! The steps of a test run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::setup;

/// The workspace's directory.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// Runs a command to its end; its failure is the chore's.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command
        .current_dir(root())
        .status()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("failed ({status}): {command:?}"))
    }
}

fn cargo(arguments: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments.split(' '));
    command
}

/// Everything, in the order in which it fails soonest.
pub(crate) fn test() -> Result<(), String> {
    type Step = fn() -> Result<(), String>;
    let steps: [(&str, Step); 6] = [
        ("format", || run(&mut cargo("fmt --all --check"))),
        ("lints", || {
            run(&mut cargo(
                "clippy --workspace --all-targets --quiet -- --deny warnings",
            ))
        }),
        ("set-up", setup::all),
        ("unit and integration tests", || {
            run(&mut cargo("test --workspace --quiet"))
        }),
        ("browser tests", browser),
        ("real projects", frameworks),
    ];
    let began = Instant::now();
    for (name, step) in steps {
        println!("== {name}");
        let step_began = Instant::now();
        step()?;
        println!("== {name}: {:.0} s", step_began.elapsed().as_secs_f64());
    }
    println!("== all passed in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// The example in a real browser, started by the binary that was just tested.
fn browser() -> Result<(), String> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let (temporary, cache) = (target.join("tmp/browser"), target.join("tmp/cache"));
    for dir in [&temporary, &cache] {
        std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    }
    run(&mut cargo("build --quiet --package portway"))?;
    run(Command::new("npm")
        .args(["test", "--prefix"])
        .arg(root().join("tests/browser"))
        .env("PORTWAY_BIN", target.join("debug/portway"))
        .env("PORTWAY_TEST_TMP", temporary)
        .env("PORTWAY_TEST_CACHE", cache))
}

/// Projects made by their frameworks' own generators; two at a time, for each of them installs
/// packages and builds.
pub(crate) fn frameworks() -> Result<(), String> {
    run(&mut cargo(
        "test --quiet --package portway --test frameworks -- --ignored --test-threads 2",
    ))
}

/// Writes the manifest's JSON schema and the API's description anew.
pub(crate) fn schema() -> Result<(), String> {
    for test in [
        "test --quiet --package portway-project --lib schema",
        "test --quiet --package portway-gateway --lib openapi",
    ] {
        run(cargo(test).env("PORTWAY_UPDATE", "1"))?;
    }
    Ok(())
}
