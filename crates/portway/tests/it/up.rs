//! `portway up`, `down`, `restart`, `wait` and `ps`.

mod failures;
#[cfg(unix)]
mod listening;
#[cfg(unix)]
mod one_fails;
#[cfg(unix)]
mod other_sockets;
mod readiness;

use std::thread;

use serde_json::Value;

use crate::sandbox::{self, Sandbox, http_get, kill};

/// A slow backend, and a frontend that waits for it and reads its port from the environment.
const TWO_SERVICES: &str = "
    [project]
    name = \"jobi\"
    [services.backend]
    command = \"%service serve {port} --delay 50\"
    port = \"%0-%9\"
    ready = { http = \"/health\" }
    [services.frontend]
    command = \"%service serve $PORT --host $HOST\"
    port = \"%10-%19\"
    after = [\"backend\"]
";

fn two_services() -> Sandbox {
    if cfg!(windows) {
        let text = TWO_SERVICES
            .replace("$PORT", "%PORT%")
            .replace("$HOST", "%HOST%");
        return Sandbox::new().manifest(&text);
    }
    Sandbox::new().manifest(TWO_SERVICES)
}

fn service<'a>(status: &'a Value, name: &str) -> &'a Value {
    let services = status["services"].as_array().unwrap();
    services.iter().find(|one| one["name"] == name).unwrap()
}

#[test]
fn both_services_run_on_their_ports() {
    let sandbox = two_services();
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_eq!(status["state"], "ready");
    for (index, name) in [(0, "backend"), (10, "frontend")] {
        let port = sandbox.port(index);
        assert_eq!(service(&status, name)["ports"][0]["port"], port);
        // One command has a placeholder and the other has variables.
        assert_eq!(http_get(port, "/env/PORT").unwrap(), port.to_string());
        assert_eq!(http_get(port, "/env/HOST").unwrap(), "127.0.0.1");
        // On Windows the first process is `cmd`, which keeps running.
        if cfg!(unix) {
            let pid = service(&status, name)["pid"].to_string();
            assert_eq!(http_get(port, "/").unwrap(), pid);
        }
    }
}

#[test]
#[cfg(unix)]
fn the_foreground_prints_urls_and_follows_logs() {
    let sandbox = Sandbox::new().manifest(
        "[services.backend]\ncommand = \"%service serve {port} --print hello\"\nport = \"%0-%9\"",
    );
    let mut up = sandbox.spawn(&["up"]);
    let url = sandbox.expand("http://localhost:%0");
    up.wait_for_output(&url);
    up.wait_for_output("backend │ hello");
    up.signal(rustix::process::Signal::INT);
    assert_eq!(up.wait(), 130);
    sandbox.wait_until_empty();
}

#[test]
#[cfg(unix)]
fn output_that_is_piped_has_no_escape_sequences() {
    let sandbox = two_services();
    let mut up = sandbox.spawn(&["up"]);
    up.wait_for_output(&sandbox.expand("http://localhost:%10"));
    assert!(!up.output().contains('\x1b'), "{}", up.output());
    up.signal(rustix::process::Signal::TERM);
    assert_eq!(up.wait(), 143);
}

#[test]
fn a_second_up_returns_the_running_instance() {
    let sandbox = two_services();
    let first = sandbox.run(&["up", "--detach", "--json"]).success().json();
    for arguments in [&["up", "--json"][..], &["up", "--detach", "--json"]] {
        let again = sandbox.run(arguments).success().json();
        for name in ["backend", "frontend"] {
            for key in ["pid", "url"] {
                assert_eq!(service(&again, name)[key], service(&first, name)[key]);
            }
        }
    }
}

#[test]
fn a_second_up_starts_stopped_services_and_waits_for_restarting_ones() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["down", "frontend"]).success();
    let again = sandbox.run(&["up", "--json"]).success().json();
    assert_eq!(service(&again, "frontend")["state"], "ready");
    http_get(sandbox.port(0), "/exit/1");
    let again = sandbox.run(&["up", "--json"]).success().json();
    assert_eq!(service(&again, "backend")["state"], "ready");
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn concurrent_ups_start_one_instance() {
    let sandbox = two_services();
    let pids: Vec<Value> = thread::scope(|scope| {
        let ups: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| sandbox.run(&["up", "--detach", "--json"]).success().json()))
            .collect();
        let statuses = ups.into_iter().map(|up| up.join().unwrap());
        statuses
            .map(|status| service(&status, "backend")["pid"].clone())
            .collect()
    });
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

#[test]
fn a_restarted_service_keeps_its_port_and_the_others_keep_running() {
    let sandbox = two_services();
    let before = sandbox.run(&["up", "--detach", "--json"]).success().json();
    sandbox.run(&["restart", "backend"]).success();
    let after = sandbox.status();
    assert_eq!(
        service(&after, "backend")["ports"],
        service(&before, "backend")["ports"]
    );
    assert_ne!(
        service(&after, "backend")["pid"],
        service(&before, "backend")["pid"]
    );
    assert_eq!(
        service(&after, "frontend")["pid"],
        service(&before, "frontend")["pid"]
    );
}

#[test]
fn keeps_every_port_after_an_immediate_restart() {
    let sandbox = two_services();
    for _ in 0..3 {
        sandbox.run(&["up", "--detach"]).success();
        for index in [0, 10] {
            // The server closes the connection first, so its side is in TIME_WAIT.
            http_get(sandbox.port(index), "/").unwrap();
        }
        sandbox.run(&["down"]).success();
        assert!(sandbox.processes().is_empty());
        let json = sandbox.ports_json();
        assert_eq!(json["backend_port"], sandbox.port(0));
        assert_eq!(json["frontend_port"], sandbox.port(10));
    }
    sandbox.run(&["down"]).success();
}

#[test]
fn keeps_the_port_after_the_supervisor_was_killed() {
    // The service keeps its port open during its grace period.
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port} --ignore\"\nport = \"%0-%9\"\n\
         stop = { grace = \"500ms\" }",
    );
    let first = sandbox.run(&["up", "--detach", "--json"]).success().json();
    kill(first["pid"].as_u64().unwrap() as u32);
    let again = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_ne!(again["pid"], first["pid"]);
    assert_eq!(again["services"][0]["ports"], first["services"][0]["ports"]);
}

#[test]
fn concurrent_commands_never_move_a_port() {
    let sandbox = two_services();
    let program = sandbox::test_service();
    let exec = [
        "exec",
        "--",
        program.to_str().unwrap(),
        "sleep",
        "--fail",
        "0",
    ];
    thread::scope(|scope| {
        for command in [
            &["up", "--detach"][..],
            &exec,
            &["env"],
            &["detect"],
            &["port", "backend"],
        ] {
            for _ in 0..3 {
                scope.spawn(|| sandbox.run(command).success());
            }
        }
    });
    let json = sandbox.ports_json();
    assert_eq!(json["backend_port"], sandbox.port(0));
    assert_eq!(json["frontend_port"], sandbox.port(10));
    assert_eq!(
        sandbox.status()["services"][0]["ports"][0]["port"],
        sandbox.port(0)
    );
}

#[test]
fn up_of_one_service_starts_only_its_dependencies() {
    let sandbox = two_services();
    let status = sandbox
        .run(&["up", "--detach", "--json", "backend"])
        .success()
        .json();
    assert_eq!(service(&status, "backend")["state"], "ready");
    assert_eq!(service(&status, "frontend")["state"], "stopped");
    // The port of the stopped service is held.
    assert!(portway_ports::Hold::acquire(sandbox.port(10)).is_err());
    let status = sandbox.run(&["up", "--json", "frontend"]).success().json();
    assert_eq!(service(&status, "frontend")["state"], "ready");
    sandbox.run(&["down", "frontend"]).success();
    assert_eq!(service(&sandbox.status(), "frontend")["state"], "stopped");
    assert_eq!(service(&sandbox.status(), "backend")["state"], "ready");
    sandbox
        .fails(&["up", "fronted"], 2, "unknown_service")
        .names("fronted")
        .names("frontend");
}

#[test]
fn an_optional_service_stays_enabled_until_it_is_disabled() {
    let sandbox = Sandbox::new().manifest(
        "[services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
         [services.redis]\noptional = true\ncommand = \"%service serve {port}\"\nport = \"%20-%29\"",
    );
    sandbox.run(&["detect"]).success();
    assert!(sandbox.ports_json().get("redis_port").is_none());
    sandbox
        .fails(&["up", "redis"], 2, "unknown_service")
        .names("redis")
        .hints("--with redis");
    sandbox
        .run(&["up", "--detach", "--with", "redis"])
        .success();
    let url = sandbox.expand("redis://localhost:%20");
    assert_eq!(http_get(sandbox.port(0), "/env/REDIS_URL").unwrap(), url);
    assert_eq!(sandbox.ports_json()["redis_url"], url);
    sandbox.run(&["down"]).success();
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(sandbox.ports_json()["redis_port"], sandbox.port(20));
    sandbox.run(&["down"]).success();
    sandbox.run(&["detect", "--without", "redis"]).success();
    assert!(sandbox.ports_json().get("redis_port").is_none());
}

#[test]
fn only_optional_services_can_be_left_out() {
    let sandbox = two_services();
    sandbox
        .fails(&["up", "--without", "backend"], 2, "usage")
        .names("backend")
        .hints("portway up frontend");
    sandbox
        .fails(&["detect", "--without", "nothing"], 2, "unknown_service")
        .names("nothing");
}

#[test]
fn ps_lists_running_and_stopped_instances() {
    let sandbox = two_services();
    assert_eq!(sandbox.run(&["ps"]).success().stdout(), "");
    assert_eq!(sandbox.run(&["ps", "--json"]).success().stdout(), "[]\n");
    sandbox.run(&["up", "--detach"]).success();
    let list = sandbox.run(&["ps", "--json"]).success().json();
    assert_eq!(list[0]["name"], "jobi");
    assert_eq!(list[0]["state"], "ready");
    assert_eq!(
        list[0]["directory"],
        sandbox.project().display().to_string()
    );
    assert!(list[0]["since"].is_u64() && list[0]["pid"].is_u64());
    let ran = sandbox
        .run(&["ps"])
        .success()
        .stdout_has("jobi")
        .stdout_has("ready");
    let ran = ran.stdout_has(&sandbox.expand("http://localhost:%10"));
    let directory = format!("~{}project", std::path::MAIN_SEPARATOR);
    assert!(ran.stdout().contains(&directory));
    sandbox.run(&["down"]).success();
    let list = sandbox.run(&["ps", "--json"]).success().json();
    assert_eq!(list[0]["state"], "stopped");
    assert_eq!(list[0]["services"][0]["ports"][0]["port"], sandbox.port(0));
}
