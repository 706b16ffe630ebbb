//! Running instances can be inspected and stopped although their manifest, preferences or checkout
//! are broken or deleted.

use std::fs;

use crate::sandbox::{Sandbox, two_services};

fn started() -> Sandbox {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    sandbox
}

#[test]
fn instances_with_a_broken_manifest_can_be_stopped() {
    let sandbox = started();
    sandbox.write("portway.toml", "x =");
    // The warning says where the manifest is broken.
    sandbox
        .run(&["wait"])
        .success()
        .stderr_has("portway.toml:1");
    sandbox.run(&["logs", "backend"]).success();
    sandbox
        .run(&["down", "backned"])
        .code(2)
        .stderr_has("`backned`")
        .stderr_has("`backend`");
    sandbox.run(&["restart", "frontend"]).success();
    sandbox
        .run(&["down"])
        .success()
        .stderr_has("portway.toml:1");
    sandbox.wait_until_empty();
    // Without a running instance, the manifest is needed.
    sandbox.run(&["down"]).code(2).stderr_has("portway.toml:1");
}

#[test]
fn instances_without_their_manifest_can_be_stopped() {
    let sandbox = started();
    fs::remove_file(sandbox.project().join("portway.toml")).unwrap();
    fs::create_dir(sandbox.project().join("below")).unwrap();
    sandbox.run(&["-C", "below", "down"]).success();
    sandbox.wait_until_empty();
}

#[test]
fn instances_of_a_deleted_checkout_can_be_stopped_by_directory() {
    let sandbox = started();
    let project = sandbox.project().to_owned();
    fs::remove_dir_all(&project).unwrap();
    let down = ["-C", project.to_str().unwrap(), "down"];
    let mut command = sandbox.portway(&down);
    command.current_dir(sandbox.path("home"));
    sandbox.run_command(command).success();
    sandbox.wait_until_empty();
    fs::create_dir(project).unwrap();
}

#[test]
fn prune_reports_running_instances_of_a_deleted_checkout() {
    let sandbox = started();
    let project = sandbox.project().to_owned();
    fs::remove_dir_all(&project).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = sandbox.portway(arguments);
        command.current_dir(sandbox.path("home"));
        sandbox.run_command(command)
    };
    let before = sandbox.processes();
    let pruned = run(&["prune", "--yes", "--json"]).success().json();
    assert_eq!(pruned["running"][0], project.to_str().unwrap());
    assert_eq!(pruned["ended"], false);
    assert_eq!(
        sandbox.processes(),
        before,
        "a running instance is never stopped"
    );
    let down = format!("portway -C {} down", project.display());
    let stdout = run(&["prune"]).success().stdout();
    let root = sandbox.path("").display().to_string();
    let root = root.trim_end_matches('/');
    assert!(stdout.contains(&down.replace(root, "~")), "{stdout}");
    run(&["-C", project.to_str().unwrap(), "down"]).success();
    sandbox.wait_until_empty();
    let pruned = run(&["prune", "--json"]).success().json();
    assert_eq!(pruned["leases"].as_array().unwrap().len(), 2, "{pruned:#}");
    fs::create_dir(project).unwrap();
}

#[test]
fn broken_preferences_do_not_prevent_inspecting_and_stopping() {
    let sandbox = started();
    let run = |arguments: &[&str]| {
        let mut command = sandbox.portway(arguments);
        command.env("PORTWAY_MOVED", "perhaps");
        sandbox.run_command(command)
    };
    run(&["ps"])
        .success()
        .stdout_has("frontend")
        .stderr_has("PORTWAY_MOVED");
    run(&["leases"]).success();
    run(&["detect", "--json"])
        .code(2)
        .error("preferences_invalid")
        .mentions("PORTWAY_MOVED");
    run(&["down"]).success();
    sandbox.wait_until_empty();
}
