//! Tests for Windows only: job objects, Ctrl-C on a hidden console, and the control pipe.

use std::time::{Duration, Instant};

use crate::sandbox::{
    RunningCommand, Sandbox, http_get, kill, test_service, two_services, wait_until,
};

/// A service with processes that could outlive it.
fn family(keys: &str) -> Sandbox {
    Sandbox::new().manifest(&format!(
        "[project]
        name = \"jobi\"
        [services.api]
        command = \"%service serve {{port}} --grandchild plain --grandchild daemon\"
        port = \"%0-%9\"
        {keys}"
    ))
}

fn pids(sandbox: &Sandbox, text: &str) -> Vec<u32> {
    let all = sandbox.processes().into_iter();
    let with = all.filter(|(_, command)| command.contains(text));
    with.map(|(pid, _)| pid).collect()
}

fn supervisor(sandbox: &Sandbox) -> u32 {
    sandbox.status()["pid"].as_u64().unwrap() as u32
}

#[test]
fn the_plan_shows_paths_of_windows() {
    let sandbox = two_services();
    let manifest = sandbox.project().join("portway.toml");
    sandbox
        .run(&["plan"])
        .success()
        .stdout_has(&format!("~{}", r"\project\portway.toml"))
        .stdout_has(&sandbox.expand("%0-%9"));
    assert!(manifest.is_file());
}

#[test]
fn killing_the_supervisor_stops_everything() {
    for detach in [false, true] {
        let sandbox = family("");
        let _up = if detach {
            sandbox.run(&["up", "--detach"]).success();
            None
        } else {
            Some(sandbox.spawn(&["up"]))
        };
        sandbox.run(&["wait"]).success();
        // The service, its child, and the child of a process that has exited.
        wait_until("every process has started", || {
            pids(&sandbox, "service.exe").len() >= 4
        });
        kill(supervisor(&sandbox));
        sandbox.wait_until_empty();
        assert_eq!(http_get(sandbox.port(0), "/"), None);
    }
}

#[test]
fn killing_a_keeper_stops_its_tree_and_restarts_the_service() {
    let sandbox = family("");
    sandbox.run(&["up", "--detach"]).success();
    let before = pids(&sandbox, "service.exe");
    let keeper = pids(&sandbox, "__keeper");
    assert_eq!(keeper.len(), 1, "{:#?}", sandbox.processes());
    kill(keeper[0]);
    wait_until("the service runs again", || {
        let service = &sandbox.status()["services"][0];
        service["state"] == "ready" && service["restarts"] == 1
    });
    let now = sandbox.processes();
    assert!(before.iter().all(|pid| !now.contains_key(pid)), "{now:#?}");
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn ctrl_c_stops_a_service_and_its_process_tree() {
    // Without Ctrl-C, the stop would take longer than the timeout of the test.
    let sandbox = family("stop = { grace = \"10m\" }");
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["down"]).success();
    sandbox.wait_until_empty();
}

#[test]
fn a_service_that_ignores_ctrl_c_is_killed_after_its_grace() {
    let sandbox = Sandbox::new().manifest(
        "[services.stubborn]
        command = \"%service serve {port} --ignore --grandchild ignore\"
        port = \"%0-%9\"
        stop = { grace = \"1s\" }",
    );
    sandbox.run(&["up", "--detach"]).success();
    let start = Instant::now();
    sandbox.run(&["down"]).success();
    assert!(start.elapsed() >= Duration::from_secs(1));
    sandbox.wait_until_empty();
}

#[test]
fn down_now_has_no_grace() {
    let sandbox = Sandbox::new().manifest(
        "[services.stubborn]
        command = \"%service serve {port} --ignore --grandchild ignore\"
        port = \"%0-%9\"
        stop = { grace = \"10m\" }",
    );
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["down", "--now"]).success();
    sandbox.wait_until_empty();
}

#[test]
fn a_command_works_as_in_a_terminal() {
    let sandbox = Sandbox::new().manifest(
        "[services.api]
        command = \"set GREETING=hello& \\\"%service\\\" serve {port} --print \\\"a b\\\"\"
        port = \"%0-%9\"",
    );
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(
        http_get(sandbox.port(0), "/env/GREETING").as_deref(),
        Some("hello")
    );
    sandbox.run(&["logs"]).success().stdout_has("a b");
}

#[test]
fn reports_the_service_of_a_listener() {
    let sandbox = two_services();
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    let port = sandbox.port(0).to_string();
    let report = sandbox.run(&["who", &port, "--json"]).success().json();
    assert_eq!(report[0]["state"], "listening");
    let holder = &report[0]["holders"][0];
    assert_eq!(holder["addresses"][0], "127.0.0.1");
    assert_eq!(holder["process"]["name"], "service.exe");
    let command = holder["process"]["command"].as_str().unwrap();
    assert!(command.ends_with(&format!("serve {port}")), "{command}");
    assert_eq!(holder["service"]["service"], "backend");
    assert_eq!(holder["service"]["instance"], "jobi");
    let pids = [&holder["process"]["pid"], &holder["parents"][0]["pid"]];
    assert!(pids.contains(&&status["services"][0]["pid"]), "{report:#}");
}

#[test]
fn reports_and_frees_an_unrelated_process() {
    let sandbox = Sandbox::new();
    let port = sandbox.port(0).to_string();
    let mut command = sandbox.command(test_service());
    command.args(["serve", &port]);
    let mut other = RunningCommand::start(command);
    wait_until("it listens", || http_get(sandbox.port(0), "/").is_some());
    let report = sandbox.run(&["who", &port, "--json"]).success().json();
    let pid = &report[0]["holders"][0]["process"]["pid"];
    assert_eq!(*pid, other.pid());
    let freed = sandbox.run(&["free", &port, "--yes", "--grace", "50ms", "--json"]);
    assert_eq!(freed.success().json()["free"], true);
    other.wait();
}
