//! Damaged, deleted and read-only state of a running instance. Its lock and its socket are enough to
//! use and to stop it.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Sandbox, two_services, wait_until};

/// The pid of the only instance's supervisor.
fn supervisor(sandbox: &Sandbox) -> Value {
    let list = sandbox.run(&["ps", "--json"]).success().json();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list:#}");
    list[0]["pid"].clone()
}

/// Expects that commands print the ports of the running instance, and that `up` starts no other.
fn is_reachable(sandbox: &Sandbox, pid: &Value) {
    let port = sandbox.port(0).to_string();
    sandbox
        .run(&["port", "backend"])
        .success()
        .stdout_has(&port);
    sandbox.run(&["url", "backend"]).success().stdout_has(&port);
    sandbox.run(&["env"]).success().stdout_has(&port);
    let up = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_eq!(up["pid"], *pid);
    sandbox.run(&["wait"]).success();
}

/// Expects that the leases of both services are recorded.
fn wait_for_leases(sandbox: &Sandbox) {
    wait_until("the leases are recorded again", || {
        let leases = sandbox.run(&["leases", "--json"]);
        leases.exit_code() == 0 && leases.json().as_array().is_some_and(|all| all.len() == 2)
    });
}

fn remove_registry(sandbox: &Sandbox) {
    for name in ["db", "db-wal", "db-shm", "lock"] {
        let _ = fs::remove_file(sandbox.state().join(format!("registry.{name}")));
    }
}

#[test]
fn an_instance_with_a_damaged_registry_is_used_and_stopped() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let pid = supervisor(&sandbox);
    let file = sandbox.state().join("registry.db");
    fs::write(&file, vec![b'x'; 8192]).unwrap();
    for suffix in ["-wal", "-shm"] {
        fs::write(format!("{}{suffix}", file.display()), vec![b'y'; 8192]).unwrap();
    }
    is_reachable(&sandbox, &pid);
    sandbox.run(&["ps"]).success().stderr_has("registry.db");
    sandbox
        .run(&["down"])
        .success()
        .stderr_has("stopped `jobi`");
    sandbox.wait_until_empty();
    // A start needs the registry.
    sandbox.fails(&["up", "--detach"], 1, "state").hints("mv ");
}

#[test]
fn a_running_instance_records_its_leases_again() {
    let sandbox = two_services();
    sandbox.write(".ports.json", "{\"backend_port\": %3}");
    sandbox.run(&["up", "--detach"]).success();
    remove_registry(&sandbox);
    wait_for_leases(&sandbox);
    let leases = sandbox.run(&["leases", "--json"]).success().json();
    assert_eq!(leases[0]["port"], sandbox.port(3));
    assert_eq!(leases[0]["forced"], Value::Null);
    assert_eq!(leases[0]["state"], "live");
    // The port is still forced after the instance has stopped.
    sandbox.run(&["down"]).success();
    let port = sandbox.port(3).to_string();
    sandbox
        .run(&["port", "backend"])
        .success()
        .stdout_has(&port);
}

#[test]
fn a_deleted_registry_changes_nothing_for_a_running_instance() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let pid = supervisor(&sandbox);
    remove_registry(&sandbox);
    is_reachable(&sandbox, &pid);
    wait_for_leases(&sandbox);
    is_reachable(&sandbox, &pid);
    sandbox.run(&["down"]).success();
    sandbox.wait_until_empty();
}

#[cfg(target_os = "linux")]
#[test]
fn a_deleted_state_directory_changes_nothing_for_a_running_instance() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let pid = supervisor(&sandbox);
    for _ in 0..2 {
        fs::remove_dir_all(sandbox.state()).unwrap();
        // Before the supervisor has restored anything, and after that.
        is_reachable(&sandbox, &pid);
        wait_for_leases(&sandbox);
        is_reachable(&sandbox, &pid);
    }
    fs::remove_dir_all(sandbox.state()).unwrap();
    assert_eq!(supervisor(&sandbox), pid);
    fs::remove_dir_all(sandbox.state()).unwrap();
    sandbox
        .run(&["down"])
        .success()
        .stderr_has("stopped `jobi`");
    sandbox.wait_until_empty();
}

#[test]
fn a_deleted_control_socket_is_restored() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let instances = fs::read_dir(sandbox.state().join("instances")).unwrap();
    let dir = instances.flatten().next().unwrap().path();
    fs::remove_file(dir.join("control.sock")).unwrap();
    let pid = supervisor(&sandbox);
    is_reachable(&sandbox, &pid);
    wait_until("the socket exists", || dir.join("control.sock").exists());
    sandbox.run(&["down"]).success();
    sandbox.wait_until_empty();
}

#[cfg(target_os = "linux")]
#[test]
fn a_running_instance_is_stopped_on_a_read_only_file_system() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let run = |arguments: &str| {
        let script = format!(
            "mount --bind '{0}' '{0}' && mount -o remount,ro,bind '{0}' && exec '{1}' {arguments}",
            sandbox.path("state").display(),
            env!("CARGO_BIN_EXE_portway"),
        );
        let mut command = sandbox.command("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
        sandbox.run_command(command)
    };
    let port = sandbox.port(0).to_string();
    run("port backend").success().stdout_has(&port);
    run("ps").success().stdout_has("ready");
    run("up --detach").success().stdout_has("ready");
    run("down").success().stderr_has("stopped `jobi`");
    sandbox.wait_until_empty();
}
