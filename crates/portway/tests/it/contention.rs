//! Concurrent commands and instances never get the same port.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::sandbox::{Sandbox, http_get};

/// How many commands and instances run concurrently. Fewer on Windows: under Wine, a command takes
/// many times as long, and it waits at most 20 s for the registry.
const PROCESSES: usize = if cfg!(windows) { 20 } else { 50 };
const INSTANCES: usize = if cfg!(windows) { 12 } else { 40 };

/// Creates `count` checkouts of one project and returns their directories.
fn checkouts(sandbox: &Sandbox, count: usize, manifest: &str) -> Vec<String> {
    let manifest = sandbox.expand(manifest);
    (0..count)
        .map(|number| {
            let dir = sandbox.path(&format!("c{number}"));
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("portway.toml"), &manifest).unwrap();
            dir.display().to_string()
        })
        .collect()
}

/// Runs a command in all of them concurrently.
fn run_all(sandbox: &Sandbox, dirs: &[String], arguments: &[&str]) {
    let stderr = |dir: &String| Path::new(dir).join("stderr");
    let start = |dir: &String| {
        let mut command = sandbox.portway(&["-C", dir]);
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(fs::File::create(stderr(dir)).unwrap())
            .spawn()
            .unwrap()
    };
    let running: Vec<Child> = dirs.iter().map(start).collect();
    for (mut child, dir) in running.into_iter().zip(dirs) {
        let status = child.wait().unwrap();
        let stderr = fs::read_to_string(stderr(dir)).unwrap();
        assert!(status.success(), "{arguments:?} in {dir}: {stderr}");
    }
}

/// A port in the `.ports.json` of a checkout.
fn port(dir: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("{dir}/.ports.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json[key].as_u64().unwrap()
}

#[test]
fn concurrent_commands_get_different_ports() {
    let sandbox = Sandbox::with_blocks(3);
    let manifest = "[services.backend]\ncommand = \"x {port}\"\nport = \"%0-%99\"";
    let dirs = checkouts(&sandbox, PROCESSES, manifest);
    run_all(&sandbox, &dirs, &["detect"]);
    let ports: HashSet<u64> = dirs.iter().map(|dir| port(dir, "backend_port")).collect();
    assert_eq!(ports.len(), PROCESSES);
    let range = u64::from(sandbox.port(0))..=u64::from(sandbox.port(99));
    assert!(ports.iter().all(|port| range.contains(port)));
}

#[test]
fn concurrent_instances_serve_on_different_ports() {
    let sandbox = Sandbox::with_blocks(5);
    let manifest = "
        [services.backend]
        command = \"%service serve {port}\"
        port = \"%0-%99\"
        stop = { grace = \"1s\" }
        [services.frontend]
        command = \"%service serve {port}\"
        port = \"%100-%199\"
        stop = { grace = \"1s\" }
    ";
    let dirs = checkouts(&sandbox, INSTANCES, manifest);
    run_all(&sandbox, &dirs, &["up", "--detach"]);
    let mut seen = HashSet::new();
    for dir in &dirs {
        for service in ["backend", "frontend"] {
            let port = port(dir, &format!("{service}_port"));
            assert!(seen.insert(port), "{port} twice");
            let id = http_get(port as u16, "/env/PORTWAY_INSTANCE").unwrap();
            let list = sandbox.run(&["ps", "--json"]).json();
            let instances = list.as_array().unwrap().iter();
            let mut instance = instances.filter(|one| one["directory"] == dir.as_str());
            assert_eq!(instance.next().unwrap()["name"], id);
        }
    }
    run_all(&sandbox, &dirs, &["down"]);
    sandbox.wait_until_empty();
}
