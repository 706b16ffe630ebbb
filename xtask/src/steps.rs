//! The steps of `cargo xtask test`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::command::{cargo, root, run};
use crate::python::SCHEMATHESIS;
use crate::system::is_root;
use crate::{dependencies, docs, editors, layout, package, setup};

/// Run all checks and tests, quick ones first.
pub(crate) fn test() -> Result<(), String> {
    type Step = fn() -> Result<(), String>;
    let steps: [(&str, Step); 12] = [
        ("format", || run(&mut cargo("fmt --all --check"))),
        ("layout", layout::check),
        ("dependencies", dependencies::check),
        ("lints", || {
            run(&mut cargo(
                "clippy --workspace --all-targets --quiet -- --deny warnings",
            ))
        }),
        ("setup", setup::all),
        ("documentation", docs::check),
        ("unit and integration tests", || {
            run(&mut cargo("test --workspace --quiet"))
        }),
        ("random requests to the API", api),
        ("browser tests", browser),
        ("editors", editors::test),
        ("packages", package::test),
        ("real projects", common_frameworks),
    ];
    let started = Instant::now();
    for (name, step) in steps {
        println!("== {name}");
        let step_started = Instant::now();
        step()?;
        println!("== {name}: {:.0} s", step_started.elapsed().as_secs_f64());
    }
    println!("== all passed in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Run the tests with several users, with as many as a shared machine has.
pub(crate) fn users() -> Result<(), String> {
    if !is_root() {
        return Err("only root can run Portway as several users".into());
    }
    // As in all tests: what the services of the tests are made of is built as well.
    run(&mut cargo("build --quiet --workspace --bins --examples"))?;
    let test = "test --quiet --workspace --test it -- --nocapture users::";
    run(cargo(test)
        .env("PORTWAY_TEST_USERS", "12")
        .env("PORTWAY_TEST_RUNS", "20"))
}

/// Send random requests to the API that its description permits or forbids.
pub(crate) fn api() -> Result<(), String> {
    let tool = SCHEMATHESIS.ensure()?;
    let test = "test --quiet --workspace --test it -- --ignored api_properties";
    run(cargo(test).env("PORTWAY_SCHEMATHESIS", tool))
}

/// Test the example, the dashboard, and the extension in real browsers.
fn browser() -> Result<(), String> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let (temporary, cache) = (target.join("tmp/browser"), target.join("tmp/cache"));
    for dir in [&temporary, &cache] {
        std::fs::create_dir_all(dir)
            .map_err(|error| format!("cannot create `{}`: {error}", dir.display()))?;
    }
    // With the features of the whole workspace, as in the other tests, so that nothing is compiled
    // twice.
    run(&mut cargo("build --quiet --workspace --bin portway"))?;
    let npm_cache = cache.join("npm");
    run(Command::new("npm")
        .args(["test", "--prefix"])
        .arg(root().join("tests/browser"))
        .env("PORTWAY_BIN", target.join("debug/portway"))
        .env("PORTWAY_TEST_TMP", temporary)
        .env("npm_config_cache", npm_cache)
        .env("npm_config_update_notifier", "false")
        .env("PORTWAY_TEST_CACHE", cache))
}

/// The frameworks that `cargo xtask test` leaves out to save minutes. Each is similar to another one.
const SIMILAR_FRAMEWORKS: [&str; 7] = [
    "node::angular",
    "node::astro",
    "node::hono",
    "node::nest",
    "node::vite_svelte",
    "node::vite_vue",
    "python::flask",
];

/// Test projects made by all framework generators.
pub(crate) fn frameworks() -> Result<(), String> {
    run(&mut frameworks_without(&[]))
}

/// Test projects made by the framework generators that differ most.
fn common_frameworks() -> Result<(), String> {
    run(&mut frameworks_without(&SIMILAR_FRAMEWORKS))
}

/// Two at a time, because each installs packages and builds.
fn frameworks_without(skipped: &[&str]) -> Command {
    let mut tests =
        cargo("test --quiet --workspace --test frameworks -- --ignored --test-threads 2");
    for name in skipped {
        tests.args(["--skip", name]);
    }
    tests
}
