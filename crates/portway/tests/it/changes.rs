//! Changes of a project while it runs: what `portway up` applies, and what says that it has not yet.

mod not_applied;

use std::fs;

use serde_json::Value;

use crate::sandbox::{Sandbox, TWO_SERVICES, http_get, two_services, wait_until};

/// A third service without a port.
const WORKER: &str = "\n[services.worker]\ncommand = \"%service sleep\"\n";

fn status(sandbox: &Sandbox) -> Value {
    let list = sandbox.run(&["ps", "--json"]).success().json();
    list[0].clone()
}

fn service(status: &Value, name: &str) -> Value {
    let services = status["services"].as_array().unwrap();
    let found = services.iter().find(|service| service["name"] == name);
    found.cloned().unwrap_or(Value::Null)
}

fn pid(sandbox: &Sandbox, name: &str) -> u64 {
    let service = service(&status(sandbox), name);
    service["pid"]
        .as_u64()
        .unwrap_or_else(|| panic!("no pid: {service:#}"))
}

fn up(sandbox: &Sandbox) {
    sandbox.run(&["up", "--detach"]).success();
}

/// What `up --dry-run` says, as `ACTION SERVICE REASON; …`.
fn plan(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["up", "--dry-run", "--json"], arguments].concat();
    let plan = sandbox.run(&arguments).success().json();
    let changes = plan["changes"].as_array().unwrap().iter();
    changes
        .map(|change| {
            let reasons: Vec<&str> = change["reasons"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|reason| reason.as_str().unwrap())
                .collect();
            let text = |key: &str| change[key].as_str().unwrap().to_owned();
            let line = [text("action"), text("service"), reasons.join("; ")].join(" ");
            line.trim().to_owned()
        })
        .collect()
}

#[test]
fn a_new_service_starts_and_the_others_keep_running() {
    let sandbox = two_services();
    up(&sandbox);
    let before = (pid(&sandbox, "backend"), pid(&sandbox, "frontend"));
    sandbox.write(
        "portway.toml",
        &format!("{TWO_SERVICES}\n[services.cache]\ncommand = \"%service serve {{port}}\"\nport = \"%20-%29\"\n"),
    );
    assert_eq!(
        plan(&sandbox, &[]),
        ["keep backend", "keep frontend", "start cache new"]
    );
    sandbox
        .fails(&["wait", "cache"], 1, "failed")
        .names("cache")
        .hints("portway up");
    sandbox
        .run(&["up", "--detach"])
        .success()
        .stderr_has("starting `cache`: new");
    let after = (pid(&sandbox, "backend"), pid(&sandbox, "frontend"));
    assert_eq!(before, after);
    sandbox.run(&["wait", "cache"]).success();
    assert!(http_get(sandbox.port(20), "/").is_some());
    assert_eq!(sandbox.ports_json()["cache_port"], sandbox.port(20));
    let printed = sandbox.run(&["port", "cache"]).success().stdout();
    assert_eq!(printed, format!("{}\n", sandbox.port(20)));
    sandbox.run(&["restart", "cache"]).success();
}

#[test]
fn a_removed_service_stops_and_the_others_keep_running() {
    let sandbox = Sandbox::new().manifest(&format!("{TWO_SERVICES}{WORKER}"));
    up(&sandbox);
    let before = (pid(&sandbox, "backend"), pid(&sandbox, "worker"));
    let (only, _) = TWO_SERVICES.split_once("[services.frontend]").unwrap();
    sandbox.write("portway.toml", &format!("{only}{WORKER}"));
    assert_eq!(
        plan(&sandbox, &[]),
        ["keep backend", "keep worker", "stop frontend removed"]
    );
    up(&sandbox);
    assert_eq!((pid(&sandbox, "backend"), pid(&sandbox, "worker")), before);
    assert_eq!(service(&status(&sandbox), "frontend"), Value::Null);
    assert!(sandbox.ports_json().get("frontend_port").is_none());
    // Its port is free.
    drop(std::net::TcpListener::bind(("127.0.0.1", sandbox.port(10))).unwrap());
    let leases = sandbox.run(&["leases", "--json"]).success().stdout();
    assert!(!leases.contains("frontend"), "{leases}");
}

#[test]
fn says_that_services_are_detected_after_the_manifest_was_deleted() {
    let sandbox = two_services();
    up(&sandbox);
    sandbox.write("Procfile", "api: %service serve $PORT\n");
    fs::remove_file(sandbox.project().join("portway.toml")).unwrap();
    sandbox
        .run(&["up", "--detach"])
        .success()
        .stderr_has("`portway.toml` was deleted; the services are detected now")
        .stderr_has("stopping `backend`: removed");
    assert_eq!(service(&status(&sandbox), "api")["state"], "ready");
    sandbox.run(&["down"]).success();
}

#[test]
fn a_changed_command_restarts_its_service_only() {
    let sandbox = two_services();
    up(&sandbox);
    let before = (pid(&sandbox, "backend"), pid(&sandbox, "frontend"));
    let changed = TWO_SERVICES.replacen("serve {port}", "serve {port} --print changed", 1);
    sandbox.write("portway.toml", &changed);
    assert_eq!(
        plan(&sandbox, &[]),
        ["restart backend command", "keep frontend"]
    );
    // A dry run changes nothing.
    let now = (pid(&sandbox, "backend"), pid(&sandbox, "frontend"));
    assert_eq!(before, now);
    up(&sandbox);
    let now = (pid(&sandbox, "backend"), pid(&sandbox, "frontend"));
    assert_ne!(before.0, now.0);
    assert_eq!(before.1, now.1);
    sandbox
        .run(&["logs", "backend"])
        .success()
        .stdout_has("changed");
    assert_eq!(plan(&sandbox, &[]), ["keep backend", "keep frontend"]);
}

#[test]
fn changed_variables_and_env_files_restart_their_service() {
    let manifest = |value: &str| {
        format!(
            "{TWO_SERVICES}\n[services.api]\ncommand = \"%service serve {{port}}\"\nport = \"%20-%29\"\nenv_file = \"api.env\"\nenv = {{ OWN = \"{value}\" }}\n"
        )
    };
    let sandbox = Sandbox::new()
        .file("api.env", "SECRET=1\n")
        .manifest(&manifest("a"));
    up(&sandbox);
    let before = (pid(&sandbox, "backend"), pid(&sandbox, "api"));
    sandbox.write("portway.toml", &manifest("b"));
    sandbox.write("api.env", "SECRET=2\n");
    assert_eq!(
        plan(&sandbox, &[])[2],
        "restart api environment: SECRET, OWN"
    );
    // What runs is printed, not what the files say now.
    let env = || sandbox.run(&["env", "api", "--json"]).success().json();
    assert_eq!(env()["OWN"], "a");
    assert_eq!(env()["SECRET"], "1");
    up(&sandbox);
    let now = (pid(&sandbox, "backend"), pid(&sandbox, "api"));
    assert_eq!(before.0, now.0);
    assert_ne!(before.1, now.1);
    assert_eq!(env()["OWN"], "b");
    for (name, value) in [("OWN", "b"), ("SECRET", "2")] {
        let received = http_get(sandbox.port(20), &format!("/env/{name}"));
        assert_eq!(received.as_deref(), Some(value));
    }
}

#[test]
fn the_application_reads_its_changed_env_file_again() {
    let services = TWO_SERVICES.replace("[services.backend]", "[services.backend]\ndir = \"api\"");
    let sandbox = Sandbox::new()
        .file("api/.env", "TOKEN=1\n")
        .manifest(&services);
    up(&sandbox);
    let before = (pid(&sandbox, "backend"), pid(&sandbox, "frontend"));
    // Portway does not pass this value on.
    sandbox.write("api/.env", "TOKEN=2\n");
    let expected = ["restart backend api/.env", "keep frontend"];
    assert_eq!(plan(&sandbox, &[]), expected);
    up(&sandbox);
    assert_ne!(before.0, pid(&sandbox, "backend"));
    assert_eq!(before.1, pid(&sandbox, "frontend"));
    assert_eq!(plan(&sandbox, &[]), ["keep backend", "keep frontend"]);
}

#[test]
fn a_changed_port_moves_its_service() {
    let sandbox = two_services();
    up(&sandbox);
    let supervisor = status(&sandbox)["pid"].clone();
    let changed = TWO_SERVICES.replace("\"%0-%9\"", "\"%30-%39\"");
    sandbox.write("portway.toml", &changed);
    let port = || sandbox.run(&["port", "backend"]).success().stdout();
    assert_eq!(port(), format!("{}\n", sandbox.port(0)));
    up(&sandbox);
    assert_eq!(port(), format!("{}\n", sandbox.port(30)));
    assert!(http_get(sandbox.port(30), "/").is_some());
    // Services that know the port have the new one.
    let api = http_get(sandbox.port(10), "/env/API").unwrap();
    assert_eq!(api, sandbox.expand("http://localhost:%30/v1"));
    assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(30));
    assert_eq!(status(&sandbox)["pid"], supervisor);
    drop(std::net::TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap());
    // Also with an option.
    let required = sandbox.expand("backend=%35");
    sandbox
        .run(&["up", "--detach", "--port", &required])
        .success();
    assert_eq!(port(), format!("{}\n", sandbox.port(35)));
}

#[test]
fn a_renamed_service_takes_over_its_port() {
    let sandbox = Sandbox::new()
        .manifest("[services.old]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n");
    up(&sandbox);
    sandbox.write(
        "portway.toml",
        "[services.new]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n",
    );
    assert_eq!(plan(&sandbox, &[]), ["start new new", "stop old removed"]);
    up(&sandbox);
    let status = status(&sandbox);
    assert_eq!(status["services"].as_array().unwrap().len(), 1);
    assert_eq!(service(&status, "new")["ports"][0]["port"], sandbox.port(0));
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn a_selection_leaves_the_other_services_alone() {
    let sandbox = Sandbox::new().manifest(&format!("{TWO_SERVICES}{WORKER}"));
    up(&sandbox);
    let names = ["backend", "frontend", "worker"];
    let pids = || names.map(|name| pid(&sandbox, name));
    let before = pids();
    // Everything changes: two commands, and the worker is removed.
    let changed = TWO_SERVICES.replace("serve {port}", "serve {port} --print changed");
    sandbox.write("portway.toml", &changed);
    sandbox.run(&["up", "--detach", "backend"]).success();
    let now = pids();
    assert_ne!(now[0], before[0]);
    assert_eq!(now[1..], before[1..]);
    assert_eq!(status(&sandbox)["changed_files"][0], "portway.toml");
    assert_eq!(
        plan(&sandbox, &[]),
        [
            "keep backend",
            "restart frontend command",
            "stop worker removed"
        ]
    );
    up(&sandbox);
    assert_eq!(pid(&sandbox, "backend"), now[0]);
    assert_eq!(plan(&sandbox, &[]), ["keep backend", "keep frontend"]);
    assert!(status(&sandbox).get("changed_files").is_none());
}

#[test]
fn optional_services_are_enabled_and_disabled_in_a_running_instance() {
    let sandbox = Sandbox::new().manifest(&format!("{TWO_SERVICES}{WORKER}optional = true\n"));
    up(&sandbox);
    let before = pid(&sandbox, "backend");
    sandbox
        .run(&["up", "--detach", "--with", "worker"])
        .success();
    pid(&sandbox, "worker");
    // Without the option, it stays enabled.
    up(&sandbox);
    pid(&sandbox, "worker");
    sandbox
        .run(&["up", "--detach", "--without", "worker"])
        .success();
    assert_eq!(service(&status(&sandbox), "worker"), Value::Null);
    assert_eq!(pid(&sandbox, "backend"), before);
}

#[test]
fn changed_services_stop_and_start_in_order() {
    let manifest = |text: &str| {
        format!(
            "[services.db]\ncommand = \"echo {text} db starts; trap 'echo db stops; exit 0' TERM; echo up; while :; do sleep 0.1; done\"\nready = {{ log = \"up\" }}\n\
             [services.api]\ncommand = \"echo {text} api starts; trap 'sleep 0.5; echo api stops; exit 0' TERM; echo up; while :; do sleep 0.1; done\"\nready = {{ log = \"up\" }}\nafter = [\"db\"]\n"
        )
    };
    let sandbox = Sandbox::new().manifest(&manifest("first"));
    up(&sandbox);
    sandbox.write("portway.toml", &manifest("second"));
    up(&sandbox);
    let log = sandbox.run(&["logs"]).success().stdout();
    let at = |text: &str| {
        log.find(text)
            .unwrap_or_else(|| panic!("no `{text}` in\n{log}"))
    };
    assert!(at("api stops") < at("db stops"), "{log}");
    assert!(at("db stops") < at("second db starts"), "{log}");
    assert!(at("second db starts") < at("second api starts"), "{log}");
}

#[test]
fn two_commands_apply_one_after_the_other() {
    let sandbox = two_services();
    up(&sandbox);
    sandbox.write("portway.toml", &format!("{TWO_SERVICES}{WORKER}"));
    let mut both = [sandbox.spawn(&["up", "-d"]), sandbox.spawn(&["up", "-d"])];
    for up in &mut both {
        assert_eq!(up.wait(), 0, "{}", up.output());
    }
    wait_until("the worker is ready", || {
        service(&status(&sandbox), "worker")["state"] == "ready"
    });
}
