//! What `up` and the logs report about services that start, fail and are restarted.

use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::{Sandbox, http_get, wait_until};
use crate::transcript::Transcript;

/// Starts services in the foreground and records the error.
fn up(transcript: &mut Transcript, title: &str, manifest: &str) {
    let sandbox = Sandbox::new().manifest(manifest);
    transcript.run(&sandbox, title, &["up"]);
}

/// The same for services that keep running when they are not ready in time.
fn up_or_abort(transcript: &mut Transcript, title: &str, manifest: &str) {
    let sandbox = Sandbox::new().manifest(manifest);
    transcript.run(&sandbox, title, &["up", "--abort-on-failure"]);
}

/// A service `api` with these keys and, unless they say otherwise, one that does not restart.
fn api(keys: &str) -> String {
    format!("[services.api]\nport = \"%0-%9\"\nrestart = \"never\"\n{keys}")
}

#[test]
fn services_that_fail_to_start() {
    let mut transcript = Transcript::default();
    for (title, keys) in [
        (
            "a program that does not exist",
            "command = \"no-such-program\"",
        ),
        (
            "a program that cannot be executed",
            "command = \"./portway.toml\"",
        ),
        (
            "a service that exits with a code",
            "command = \"echo no such table: users >&2; exit 3\"",
        ),
        (
            "a service that is killed",
            "command = \"echo started; kill -9 $$\"",
        ),
        (
            "a service that exits before it listens",
            "command = \"echo done\"",
        ),
        (
            "a module that does not exist",
            "command = \"echo /usr/bin/python3: No module named flask >&2; exit 1\"",
        ),
        (
            "a directory that does not exist",
            "command = \"%service serve {port}\"\ndir = \"gone\"",
        ),
        (
            "a prepare step that fails",
            "command = \"%service serve {port}\"\nprepare = \"echo cannot resolve fastapi >&2; exit 4\"",
        ),
    ] {
        up(&mut transcript, title, &api(keys));
    }
    for (title, keys) in [
        (
            "a service that never listens",
            "command = \"sleep 600\"\nready = { tcp = true, timeout = \"200ms\" }",
        ),
        (
            "a service that is never ready",
            "command = \"%service serve {port}\"\nready = { exec = \"false\", timeout = \"3s\" }",
        ),
    ] {
        up_or_abort(&mut transcript, title, &api(keys));
    }
    up(
        &mut transcript,
        "a prepare step that two services share",
        "[services.api]\ncommand = \"sleep 600\"\ndir = \".\"\nprepare = \"exit 3\"\n\
         [services.web]\ncommand = \"sleep 600\"\ndir = \".\"\nprepare = \"exit 3\"",
    );
    up(
        &mut transcript,
        "a service that waits for one that fails",
        "[services.db]\ncommand = \"exit 3\"\nrestart = \"never\"\nready = { exec = \"false\" }\n\
         [services.api]\ncommand = \"sleep 600\"\nafter = [\"db\"]",
    );
    // In the background the error has the last lines of the log. Whether its notice is received
    // before depends on timing.
    let sandbox = Sandbox::new().manifest(&api("command = \"echo no such table: users; exit 3\""));
    let error = sandbox.run(&["up", "--detach"]).code(5).stderr();
    let error = &error[error.rfind("error: ").unwrap()..];
    transcript.text(&sandbox, "a service that fails in the background", error);
    transcript.assert("failed-starts");
}

#[test]
fn a_start_in_the_foreground() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new().manifest(&api("command = \"%service serve {port}\""));
    let up = thread::scope(|scope| {
        let up = scope.spawn(|| sandbox.run(&["up"]));
        sandbox.wait_until_ready();
        sandbox.run(&["down"]).success();
        up.join().unwrap()
    });
    transcript.record(&sandbox, "a start, and a stop from elsewhere", "up", &up);
    transcript.assert("foreground");
}

#[test]
fn lines_in_the_log() {
    let mut transcript = Transcript::default();
    let mut log = |title: &str, keys: &str, happens: &dyn Fn(&Sandbox)| {
        let sandbox = Sandbox::new().manifest(&format!("[services.api]\n{keys}"));
        sandbox.run(&["up", "--detach"]).success();
        happens(&sandbox);
        transcript.run(&sandbox, title, &["logs"]).success();
    };
    let restarted = |sandbox: &Sandbox| {
        wait_until("it is restarted", || {
            let api = &sandbox.status()["services"][0];
            api["restarts"] == 1 && api["state"] == "ready"
        });
    };
    log(
        "a prepare step and a start",
        "port = \"%0-%9\"\ncommand = \"%service serve {port}\"\nprepare = \"echo installing\"",
        &|_| {},
    );
    log(
        "a service that is completed",
        "command = \"echo done\"",
        &|_| {},
    );
    log(
        "a server that does not set SO_REUSEADDR",
        "port = \"%0-%9\"\ncommand = \"%service serve {port} --no-reuse\"",
        &|_| {},
    );
    log(
        "a crash",
        "port = \"%0-%9\"\ncommand = \"%service serve {port}\"",
        &|sandbox| {
            http_get(sandbox.port(0), "/exit/7");
            restarted(sandbox);
        },
    );
    log(
        "a service that stops answering",
        "port = \"%0-%9\"\ncommand = \"%service serve {port} --unhealthy-file sick\"\n\
         liveness = { http = \"/health\", interval = \"20ms\", failures = 2 }",
        &|sandbox| {
            let first = http_get(sandbox.port(0), "/");
            sandbox.write("sick", "");
            wait_until("it is stopped", || http_get(sandbox.port(0), "/") != first);
            std::fs::remove_file(sandbox.project().join("sick")).unwrap();
            wait_until("it is ready again", || {
                sandbox.status()["services"][0]["state"] == "ready"
            });
        },
    );
    log(
        "a keeper that is killed",
        "port = \"%0-%9\"\ncommand = \"%service serve {port}\"\nstop = { grace = \"1s\" }",
        &|sandbox| {
            let processes = sandbox.processes();
            let mut keepers = processes
                .iter()
                .filter(|(_, line)| line.contains("__keeper"));
            let (pid, _) = keepers.next().unwrap();
            kill_process(Pid::from_raw(*pid as i32).unwrap(), Signal::KILL).unwrap();
            restarted(sandbox);
        },
    );
    let sandbox = Sandbox::new().manifest(&api("command = \"%service serve %20\""));
    let _up = sandbox.spawn(&["up"]);
    wait_until("the warning is logged", || {
        !sandbox.portway_log("api").is_empty()
    });
    let title = "a service that listens on another port";
    transcript.run(&sandbox, title, &["logs"]).success();
    sandbox.run(&["down"]).success();
    transcript.assert("log-lines");
}

#[test]
fn starts_that_take_too_long() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new().manifest(&api(
        "command = \"%service serve {port}\"\nready = { exec = \"false\" }",
    ));
    let up = thread::scope(|scope| {
        let up = scope.spawn(|| sandbox.run(&["up", "--detach"]));
        wait_until("the instance is starting", || {
            let instances = sandbox.run(&["ps", "--json"]).json();
            instances[0]["state"] == "starting"
        });
        let starting = ["wait", "--timeout", "100ms"];
        transcript
            .run(&sandbox, "a wait with a timeout", &starting)
            .code(124);
        sandbox.run(&["down"]).success();
        up.join().unwrap()
    });
    transcript.record(&sandbox, "a stop during the start", "up --detach", &up);
    transcript.assert("slow-starts");
}

#[test]
fn a_start_in_a_running_instance() {
    let mut transcript = Transcript::default();
    let sandbox = Sandbox::new().manifest(&api("command = \"%service serve {port}\""));
    let dry_run = ["up", "--dry-run"];
    transcript
        .run(&sandbox, "a plan of the start", &dry_run)
        .success();
    sandbox.run(&["up", "--detach"]).success();
    transcript.run(&sandbox, "a second `up`", &["up"]).success();
    let prepare = ["up", "--prepare"];
    transcript
        .run(&sandbox, "prepare steps of a running instance", &prepare)
        .code(2);
    let forced = sandbox.expand("api=%5");
    transcript
        .run(&sandbox, "another port", &["up", "--port", &forced])
        .success();
    transcript
        .run(&sandbox, "another network", &["up", "--lan"])
        .code(2);
    let manifest = sandbox.read("portway.toml");
    let worker = "[services.worker]\ncommand = \"sleep 600\"\n";
    sandbox.write("portway.toml", &format!("{manifest}\n{worker}"));
    transcript
        .run(&sandbox, "a plan of changes", &dry_run)
        .success();
    transcript.run(&sandbox, "a new service", &["up"]).success();
    sandbox.write("portway.toml", worker);
    transcript
        .run(&sandbox, "a removed service", &["up"])
        .success();
    transcript.assert("running-instance");
}
