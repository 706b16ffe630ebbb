//! What commands report about instances, leases and ports, and the errors of requests that they
//! refuse.

use std::fs;
use std::net::TcpListener;

use rustix::process::Signal;

use crate::leases::with_stale_process;
use crate::sandbox::{RunningCommand, Sandbox, TWO_SERVICES, test_service, two_services};
use crate::servers::wait_until_served;
use crate::transcript::Transcript;

#[test]
fn where_nothing_runs() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    for arguments in [
        &["ps"][..],
        &["leases"],
        &["prune"],
        &["down"],
        &["restart"],
        &["logs"],
        &["logs", "-f"],
        &["health"],
        &["wait", "--timeout", "10ms"],
        &["forward"],
        &["forward", "%30", "--stop"],
        &["gateway", "status"],
        &["gateway", "stop"],
        &["gateway", "uninstall"],
        &["url", "--name", "backend"],
        &["trust", "--undo"],
        &["forget", "%0"],
        &["free", "%30", "--yes"],
        &["who", "%30"],
        &["config", "list"],
        &["config", "get", "gateway.port"],
        &["config", "get", "gatway.port"],
        &["config", "unset", "moved"],
        &["config", "set", "moved", "perhaps"],
        &["exec", "--", "no-such-program"],
    ] {
        let arguments: Vec<String> = arguments.iter().map(|one| sandbox.expand(one)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        transcript.run(&sandbox, "nothing runs", &arguments);
    }
    transcript.assert("nothing-runs");
}

#[test]
fn a_checkout_from_the_start_to_the_end() {
    let mut transcript = Transcript::default();
    // One after the other, so that the log has an order.
    let sandbox = Sandbox::new().manifest(&format!("{TWO_SERVICES}\nafter = [\"backend\"]"));
    let mut run = |title: &str, arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|one| sandbox.expand(one)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        transcript.run(&sandbox, title, &arguments)
    };
    run("the plan", &["plan"]);
    run("the ports, nothing started", &["detect"]);
    run("leases of a stopped instance", &["leases"]);
    run("a port that is leased and not in use", &["who", "%0"]);
    run("freeing it", &["free", "%0", "--yes"]);
    run("a start", &["up", "--detach"]);
    run("instances", &["ps"]);
    run("leases of a running instance", &["leases"]);
    run("readiness", &["wait"]);
    run("health of a service", &["health", "zzz"]);
    run("the lease of a running service", &["forget", "%0"]);
    run(
        "freeing the port of a service, only shown",
        &["free", "%0", "--dry-run"],
    );
    run("freeing the port of a service", &["free", "%0", "--yes"]);
    run("starting it again", &["up", "--detach"]);
    run("a restart", &["restart", "backend"]);
    run("a stop of one service", &["down", "frontend"]);
    run("a stop", &["down"]);
    run("logs of a stopped instance", &["logs", "frontend"]);
    run("a release", &["forget", "%0"]);
    transcript.assert("checkout");
}

#[test]
fn processes_on_a_port() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new();
    // Found in `PATH`, so that the command line is short and the same everywhere.
    let mut command = sandbox.command("sh");
    let path = std::env::var("PATH").unwrap();
    let examples = test_service().parent().unwrap().display().to_string();
    command.env("PATH", format!("{examples}:{path}"));
    command.args(["-c", &sandbox.expand("service serve %0; :")]);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let server = RunningCommand::start(command);
    wait_until_served(sandbox.port(0));
    let port = sandbox.port(0).to_string();
    let report = sandbox.run(&["who", &port, "--json"]).success().json();
    let holder = &report[0]["holders"][0];
    transcript.hide(holder["user"].as_str().unwrap(), "dev");
    transcript.hide_pid(&holder["process"]["pid"], "1235");
    transcript.hide_pid(server.pid(), "1234");
    transcript.run(&sandbox, "a process outside Portway", &["who", &port]);
    transcript.run(&sandbox, "freeing it without a terminal", &["free", &port]);
    transcript.run(
        &sandbox,
        "freeing it, only shown",
        &["free", &port, "--dry-run"],
    );
    transcript.run(&sandbox, "freeing it", &["free", &port, "--yes"]);
    // This test is a parent of the command, and its name differs from build to build.
    let _listener = TcpListener::bind(("127.0.0.1", sandbox.port(1))).unwrap();
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    transcript.hide(name.trim(), "test");
    let port = sandbox.port(1).to_string();
    transcript.run(
        &sandbox,
        "a parent of the command",
        &["free", &port, "--yes"],
    );
    transcript.assert("processes");
}

#[test]
fn ports_that_are_held() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    let mut exec = sandbox.spawn(&["exec", "--", "sh", "-c", "echo running; exec sleep 600"]);
    exec.wait_for_output("running");
    let port = sandbox.port(0).to_string();
    transcript.run(&sandbox, "a port of a running command", &["who", &port]);
    transcript.run(&sandbox, "freeing it", &["free", &port, "--yes"]);
    exec.signal(Signal::TERM);
    exec.wait();
    sandbox.wait_until_empty();
    transcript.assert("held-ports");
}

#[test]
fn services_that_are_stopped_by_name() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    for title in ["a running service", "a stopped service"] {
        transcript
            .run(&sandbox, title, &["down", "backend"])
            .success();
    }
    transcript
        .run(&sandbox, "one of each", &["down", "backend", "frontend"])
        .success();
    transcript.assert("stopped-services");
}

#[test]
fn leftovers() {
    let mut transcript = Transcript::default();
    let sandbox = with_stale_process();
    let (pid, _) = sandbox.processes().pop_first().unwrap();
    transcript.hide_pid(pid, "1234");
    transcript.run(&sandbox, "a process that was left behind", &["prune"]);
    transcript.run(&sandbox, "it is stopped", &["prune", "--yes"]);
    let mut sandbox = two_services();
    sandbox.run(&["detect"]).success();
    let project = sandbox.project().to_owned();
    sandbox.set_project(project.parent().unwrap());
    fs::rename(&project, sandbox.path("moved")).unwrap();
    transcript.run(&sandbox, "leases of a directory that is gone", &["leases"]);
    transcript.run(&sandbox, "only shown", &["prune", "--dry-run"]);
    transcript.run(&sandbox, "they are removed", &["prune"]);
    transcript.assert("leftovers");
}

#[test]
fn a_checkout_with_a_broken_manifest() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    sandbox.write("portway.toml", "x =");
    transcript.run(&sandbox, "while it runs", &["down", "backned"]);
    transcript.run(&sandbox, "while it runs", &["down"]);
    transcript.run(&sandbox, "while it is stopped", &["down"]);
    transcript.assert("broken-manifest");
}

#[test]
fn preferences_that_are_overridden() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    let mut command = sandbox.portway(&["config", "set", "moved", "ask"]);
    command.env("PORTWAY_MOVED", "continue");
    let line = "config set moved ask";
    transcript.run_as(&sandbox, "a variable has another value", line, command);
    transcript.run(&sandbox, "the value", &["config", "explain", "moved"]);
    transcript.run(&sandbox, "the file", &["config", "unset", "moved"]);
    transcript.assert("config");
}

#[test]
fn init() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new().file(".gitignore", "/target\n");
    transcript.run(&sandbox, "a first manifest", &["init", "--gitignore"]);
    transcript.run(&sandbox, "a second one", &["init"]);
    transcript.assert("init");
}
