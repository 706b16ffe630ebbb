//! A running instance belongs to its directory: what happens when that is moved, replaced, deleted or
//! mounted elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sandbox::{CommandOutput, Sandbox, TWO_SERVICES, http_get, two_services};

fn run_in(sandbox: &Sandbox, dir: &Path, arguments: &[&str]) -> CommandOutput {
    let mut command = sandbox.portway(&[&["-C", dir.to_str().unwrap()], arguments].concat());
    command.current_dir(sandbox.path("home"));
    sandbox.run_command(command)
}

/// Starts the services in `dir` and returns the status.
fn up(sandbox: &Sandbox, dir: &Path) -> Value {
    run_in(sandbox, dir, &["up", "--detach", "--json"])
        .success()
        .json()
}

fn running(sandbox: &Sandbox) -> Vec<String> {
    let list = run_in(sandbox, &sandbox.path("home"), &["ps", "--json"]);
    let list = list.success().json();
    let all = list.as_array().unwrap().iter();
    all.filter(|one| one["state"] == "ready")
        .map(|one| one["directory"].as_str().unwrap().to_owned())
        .collect()
}

/// A sandbox whose project was moved to another directory while it was running.
pub fn moved() -> (Sandbox, PathBuf) {
    let mut sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let new = sandbox.path("moved");
    fs::rename(sandbox.project(), &new).unwrap();
    sandbox.set_project(&new);
    (sandbox, new)
}

#[test]
fn a_moved_directory_is_stopped_under_its_new_path() {
    let (sandbox, new) = moved();
    let port = sandbox.port(0).to_string();
    for command in [&["port", "backend"][..], &["url", "backend"], &["env"]] {
        run_in(&sandbox, &new, command)
            .success()
            .stdout_has(&port)
            .stderr_has("~/project");
    }
    run_in(&sandbox, &new, &["wait"]).success();
    run_in(&sandbox, &new, &["restart"])
        .code(1)
        .stderr_has("whose path was")
        .stderr_has("run `portway up --detach`");
    assert!(http_get(sandbox.port(0), "/").is_some());
    run_in(&sandbox, &new, &["down"])
        .success()
        .stderr_has("~/project")
        .stderr_has("stopped `jobi`");
    sandbox.wait_until_empty();
}

#[test]
fn a_moved_directory_is_started_again_under_its_new_path() {
    let (sandbox, new) = moved();
    let status = up(&sandbox, &new);
    assert_eq!(status["directory"], new.to_str().unwrap());
    assert_eq!(status["name"], "jobi");
    assert_eq!(status["services"][0]["ports"][0]["port"], sandbox.port(0));
    assert_eq!(running(&sandbox), [new.to_str().unwrap()]);
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn a_moved_directory_without_a_manifest_is_stopped() {
    let (sandbox, new) = moved();
    fs::remove_file(new.join("portway.toml")).unwrap();
    fs::create_dir(new.join("below")).unwrap();
    run_in(&sandbox, &new.join("below"), &["down"]).success();
    sandbox.wait_until_empty();
}

#[test]
fn a_link_to_the_new_path_leads_to_the_instance() {
    let (sandbox, new) = moved();
    let old = sandbox.path("project");
    std::os::unix::fs::symlink(&new, &old).unwrap();
    run_in(&sandbox, &old, &["down"]).success();
    sandbox.wait_until_empty();
}

/// A sandbox whose project was replaced by another directory while it was running.
pub fn replaced() -> Sandbox {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    fs::remove_dir_all(sandbox.project()).unwrap();
    fs::create_dir(sandbox.project()).unwrap();
    sandbox.write("portway.toml", TWO_SERVICES);
    sandbox.write("new", "");
    sandbox
}

#[test]
fn a_replaced_directory_is_started_in_place_of_the_old_one() {
    let sandbox = replaced();
    for command in [&["port", "backend"][..], &["env"], &["detect"], &["wait"]] {
        let failed = run_in(&sandbox, sandbox.project(), command);
        failed.code(1).stderr_has("`jobi`").stderr_has("portway up");
    }
    let before = run_in(&sandbox, sandbox.project(), &["ps", "--json"]).json()[0]["pid"].clone();
    let status = up(&sandbox, sandbox.project());
    assert_ne!(status["pid"], before);
    assert_eq!(status["services"][0]["ports"][0]["port"], sandbox.port(0));
    assert_eq!(running(&sandbox).len(), 1);
    sandbox.run(&["port", "backend"]).success();
}

#[test]
fn the_old_instance_of_a_replaced_directory_is_stopped() {
    let sandbox = replaced();
    run_in(&sandbox, sandbox.project(), &["down"])
        .success()
        .stderr_has("replaced")
        .stderr_has("stopped `jobi`");
    sandbox.wait_until_empty();
}

#[test]
fn the_instance_of_a_deleted_working_directory_is_stopped() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let project = sandbox.project().to_owned();
    let script = format!(
        "rm -r '{}' && exec '{}' down",
        project.display(),
        env!("CARGO_BIN_EXE_portway")
    );
    let mut command = sandbox.command("sh");
    command.args(["-c", &script]).env("PWD", &project);
    sandbox
        .run_command(command)
        .success()
        .stderr_has("stopped `jobi`");
    sandbox.wait_until_empty();
    fs::create_dir(project).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_bind_mount_leads_to_the_same_instance() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let pid = sandbox.status()["pid"].clone();
    let mounted = sandbox.path("mounted");
    fs::create_dir(&mounted).unwrap();
    let script = format!(
        "mount --bind '{0}' '{1}' && cd '{1}' && '{2}' up --detach --json && exec '{2}' down",
        sandbox.project().display(),
        mounted.display(),
        env!("CARGO_BIN_EXE_portway"),
    );
    let mut command = sandbox.command("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    let ran = sandbox.run_command(command).success();
    assert_eq!(ran.json()["pid"], pid);
    sandbox.wait_until_empty();
}

#[cfg(target_os = "linux")]
#[test]
fn prune_keeps_a_directory_that_is_not_visible() {
    let sandbox = two_services();
    let dir = sandbox.path("hidden/project");
    fs::create_dir_all(&dir).unwrap();
    fs::copy(
        sandbox.project().join("portway.toml"),
        dir.join("portway.toml"),
    )
    .unwrap();
    run_in(&sandbox, &dir, &["detect"]).success();
    let script = format!(
        "mount -t tmpfs none '{}' && exec '{}' prune --json",
        sandbox.path("hidden").display(),
        env!("CARGO_BIN_EXE_portway"),
    );
    let mut command = sandbox.command("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    let pruned = sandbox.run_command(command).success().json();
    assert_eq!(pruned["leases"].as_array().unwrap().len(), 0, "{pruned:#}");
    fs::remove_dir_all(sandbox.path("hidden")).unwrap();
    let pruned = sandbox.run(&["prune", "--json"]).success().json();
    assert_eq!(pruned["leases"].as_array().unwrap().len(), 2, "{pruned:#}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_instance_in_another_network_namespace_is_not_ready_here() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    for command in [&["up", "--detach"][..], &["wait"]] {
        let mut inside = sandbox.command("unshare");
        inside
            .args(["--map-root-user", "--net", env!("CARGO_BIN_EXE_portway")])
            .args(command);
        let ran = sandbox.run_command(inside);
        assert_ne!(ran.exit_code(), 0, "{command:?}");
        ran.stderr_has("network namespace");
    }
    sandbox.run(&["down"]).success();
}
