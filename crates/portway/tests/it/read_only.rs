//! Commands that only read register nothing, choose nothing and write nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::sandbox::{Sandbox, two_services};

/// Every command that only reads, whatever its exit code.
const READING: [&[&str]; 27] = [
    &["ps"],
    &["ps", "--json"],
    &["logs"],
    &["logs", "backend", "-n", "5"],
    &["logs", "--follow"],
    &["wait", "--timeout", "200ms"],
    &["wait", "backend", "--timeout", "200ms"],
    &["down"],
    &["down", "backend"],
    &["down", "--now"],
    &["restart"],
    &["plan"],
    &["who"],
    &["who", "9"],
    &["leases"],
    &["forget", "9"],
    &["prune", "--dry-run"],
    &["prune"],
    &["health"],
    &["doctor"],
    &["discover", "--for", "100ms"],
    &["url", "backend", "--name"],
    &["gateway", "status"],
    &["forward"],
    &["config"],
    &["config", "explain", "moved"],
    &["schema"],
];

/// The commands that print the wiring. For an instance that is not running they choose ports.
const WIRING: [&[&str]; 4] = [
    &["env"],
    &["env", "backend", "--json"],
    &["port", "backend"],
    &["url", "frontend"],
];

/// Every file and directory below `dir`, with the content of files.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            all.extend(contents(&path));
            all.insert(path, None);
        } else {
            all.insert(path.clone(), fs::read(path).ok());
        }
    }
    all
}

/// The state directory and the project.
fn everything(sandbox: &Sandbox) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = contents(&sandbox.path("state"));
    all.extend(contents(sandbox.project()));
    all
}

#[track_caller]
fn changes_nothing(sandbox: &Sandbox, command: &[&str]) {
    let before = everything(sandbox);
    sandbox.run(command);
    let after = everything(sandbox);
    let changed: Vec<_> = before
        .keys()
        .chain(after.keys())
        .filter(|path| before.get(*path) != after.get(*path))
        .collect();
    assert!(changed.is_empty(), "{command:?} changed {changed:#?}");
}

#[test]
fn a_fresh_state_directory_stays_empty() {
    let sandbox = two_services();
    for command in READING {
        changes_nothing(&sandbox, command);
    }
    assert!(!sandbox.state().exists());
}

#[test]
fn the_registry_of_another_checkout_does_not_change() {
    let mut sandbox = two_services();
    let other = sandbox.path("other");
    fs::create_dir(&other).unwrap();
    sandbox.run(&["detect"]).success();
    fs::copy(
        sandbox.project().join("portway.toml"),
        other.join("portway.toml"),
    )
    .unwrap();
    sandbox.set_project(&other);
    for command in READING {
        changes_nothing(&sandbox, command);
    }
}

#[test]
fn a_stopped_instance_is_read_without_a_change() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["down"]).success();
    for command in READING {
        changes_nothing(&sandbox, command);
    }
}

#[test]
fn a_directory_that_was_never_started_is_not_listed() {
    let sandbox = two_services();
    for command in [
        &["down"][..],
        &["down", "backend"],
        &["logs"],
        &["logs", "--follow"],
    ] {
        sandbox.run(command).success();
    }
    sandbox.fails(&["wait", "--timeout", "100ms"], 124, "timeout");
    let instances = sandbox.run(&["ps", "--json"]).success().json();
    assert_eq!(instances, serde_json::json!([]));
    // A command that chooses ports registers it.
    sandbox.run(&["port", "backend"]).success();
    let instances = sandbox.run(&["ps", "--json"]).success().json();
    assert_eq!(instances[0]["name"], "jobi");
}

#[test]
fn the_wiring_of_a_running_instance_is_read_without_a_change() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let registry = |sandbox: &Sandbox| {
        // The supervisor has the registry open, so the index of its log may change.
        let mut all = contents(&sandbox.path("state"));
        all.retain(|path, _| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("registry.db") && !name.ends_with("-shm")
        });
        all.extend(contents(sandbox.project()));
        all
    };
    // A new branch would be recorded by a command that registers.
    let before = registry(&sandbox);
    assert!(!before.is_empty());
    for command in WIRING {
        sandbox.run(command).success();
        assert!(registry(&sandbox) == before, "{command:?}");
    }
}
