//! `portway free`: which processes it stops, and which it rejects.

use std::net::TcpListener;

use crate::sandbox::{Sandbox, http_get, two_services, wait_until};
use crate::servers::{ShellServer, wait_until_served};

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[test]
fn stops_the_whole_process_tree() {
    let sandbox = Sandbox::new();
    let mut shell = ShellServer::start(&sandbox, "serve %0 --worker --grandchild plain");
    wait_until_served(sandbox.port(0));
    let port = sandbox.port(0).to_string();
    let dry = sandbox
        .run(&["free", &port, "--dry-run", "--json"])
        .success()
        .json();
    assert_eq!(dry["action"], "dry_run");
    assert_eq!(dry["processes"][0]["pid"], shell.pid());
    assert_eq!(dry["processes"].as_array().unwrap().len(), 4);
    assert!(!is_free(sandbox.port(0)), "a dry run stops nothing");
    sandbox.fails(&["free", &port], 2, "usage").hints("--yes");
    assert!(
        !is_free(sandbox.port(0)),
        "nothing is stopped without confirmation"
    );
    let freed = sandbox
        .run(&["free", &port, "--yes", "--json"])
        .success()
        .json();
    assert_eq!(freed["free"], true);
    assert_eq!(freed["action"], "ended");
    shell.wait();
    sandbox.wait_until_empty();
    assert!(is_free(sandbox.port(0)));
    sandbox
        .fails(&["free", &port, "--yes"], 6, "nothing_there")
        .mentions(port);
}

#[test]
fn kills_processes_that_ignore_the_signal() {
    let sandbox = Sandbox::new();
    let mut shell = ShellServer::start(&sandbox, "serve %0 --ignore --grandchild ignore");
    wait_until_served(sandbox.port(0));
    let port = sandbox.port(0).to_string();
    let freed = sandbox
        .run(&["free", &port, "--yes", "--grace", "50ms", "--json"])
        .success()
        .json();
    assert_eq!(freed["action"], "killed");
    shell.wait();
    sandbox.wait_until_empty();
    assert!(is_free(sandbox.port(0)));
}

#[test]
fn stops_every_process_on_the_port() {
    let sandbox = Sandbox::new();
    let _v4 = ShellServer::start(&sandbox, "serve %0");
    let _v6 = ShellServer::start(&sandbox, "serve %0 --host ::1");
    wait_until("both listen", || {
        portway_ports::owners(sandbox.port(0)).unwrap().len() == 2
    });
    let port = sandbox.port(0).to_string();
    sandbox
        .run(&["free", &port, "--yes"])
        .success()
        .stdout_has(&port);
    assert!(portway_ports::owners(sandbox.port(0)).unwrap().is_empty());
}

#[test]
fn stops_a_service_through_its_supervisor() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(0).to_string();
    let freed = sandbox
        .run(&["free", &port, "--yes", "--json"])
        .success()
        .json();
    assert_eq!(freed["action"], "stopped");
    assert_eq!(freed["service"]["service"], "backend");
    assert!(is_free(sandbox.port(0)));
    let state = |index: usize| sandbox.status()["services"][index]["state"].clone();
    assert_eq!(state(0), "stopped");
    assert_eq!(state(1), "ready");
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(state(0), "ready");
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn a_service_moves_when_its_freed_port_is_in_use() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(0).to_string();
    sandbox.run(&["free", &port, "--yes"]).success();
    let _other = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(1));
    assert!(http_get(sandbox.port(1), "/").is_some());
}

#[test]
fn rejects_parents_of_the_command() {
    let sandbox = Sandbox::new();
    // The test itself listens, and is a parent of the command.
    let _listener = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    sandbox
        .fails(
            &["free", &sandbox.port(0).to_string(), "--yes"],
            1,
            "refused",
        )
        .mentions(format!("(pid {})", std::process::id()));
}

#[test]
fn rejects_a_port_that_is_only_leased() {
    let sandbox = two_services();
    sandbox.run(&["detect"]).success();
    sandbox
        .fails(
            &["free", &sandbox.port(0).to_string(), "--yes"],
            6,
            "nothing_there",
        )
        .names("backend")
        .mentions("jobi")
        .hints("portway forget");
}

#[test]
fn asks_for_confirmation_in_a_terminal() {
    let sandbox = Sandbox::new();
    let mut shell = ShellServer::start(&sandbox, "serve %0");
    wait_until_served(sandbox.port(0));
    let portway = env!("CARGO_BIN_EXE_portway");
    let answer = |word: &str| {
        let mut command = sandbox.command("sh");
        let script = format!(
            "echo {word} | script -qec '{portway} free {}' /dev/null",
            sandbox.port(0)
        );
        command.args(["-c", &script]);
        sandbox.run_command(command)
    };
    answer("n").code(1).stdout_has("[y/N]");
    assert!(!is_free(sandbox.port(0)));
    answer("y").success().stdout_has("[y/N]");
    assert!(is_free(sandbox.port(0)));
    shell.wait();
}
