//! When services count as ready, and which commands wait for that.

use serde_json::Value;

use super::{service, two_services};
use crate::sandbox::Sandbox;

#[test]
fn wait_returns_when_services_are_ready() {
    let sandbox = two_services();
    sandbox
        .fails(&["wait", "--timeout", "100ms"], 124, "timeout")
        .hints("portway up --detach");
    let mut up = sandbox.spawn(&["up"]);
    let status = sandbox.run(&["wait", "--json"]).success().json();
    assert_eq!(status["state"], "ready");
    sandbox
        .run(&["wait", "backend", "--timeout", "10s"])
        .success();
    sandbox.run(&["down"]).success();
    up.wait();
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service sleep\"\nport = \"%0\"\nready = { tcp = true }",
    );
    let _up = sandbox.spawn(&["up"]);
    sandbox
        .fails(&["wait", "--timeout", "300ms"], 124, "timeout")
        .hints("portway logs");
}

#[test]
#[cfg(unix)]
fn one_shot_services_complete_first() {
    let sandbox = Sandbox::new().manifest(
        "[services.migrate]\ncommand = \"sleep 0.1 && touch migrated\"\n\
         [services.api]\ncommand = \"test -f migrated && exec %service serve {port}\"\n\
         port = \"%0\"\nafter = { migrate = \"completed\" }",
    );
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_eq!(service(&status, "migrate")["state"], "completed");
    assert_eq!(service(&status, "api")["state"], "ready");
}

#[test]
#[cfg(unix)]
fn readiness_can_be_a_command_or_a_log_line() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port} --print 'Listening on it'\"\nport = \"%0\"\n\
         ready = { log = \"Listening on\" }\n\
         [services.b]\ncommand = \"sleep 0.2; touch ready; %service serve {port}\"\nport = \"%1\"\n\
         ready = { exec = \"test -f ready\" }\n\
         [services.c]\ncommand = \"echo working; sleep 600\"\nready = { log = \"^work\" }\n\
         [services.d]\ncommand = \"%service serve {port}\"\nport = \"%2\"\nready = { tcp = true }",
    );
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_eq!(status["state"], "ready");
}

#[test]
fn services_start_in_order() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let logs = sandbox.run(&["logs", "--json"]).success().stdout();
    let records: Vec<Value> = logs
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    // The log line about readiness contains the URL.
    let ready = |service: &str, index: u16| {
        let url = sandbox.expand(&format!("http://localhost:%{index}"));
        records.iter().position(|record| {
            record["service"] == service
                && record["stream"] == "portway"
                && record["text"].as_str().unwrap().contains(&url)
        })
    };
    let backend = ready("backend", 0).expect("the backend is ready");
    assert!(backend < ready("frontend", 10).expect("the frontend is ready"));
    let frontend = records.iter().position(|one| one["service"] == "frontend");
    assert!(backend < frontend.unwrap());
}

/// Compilers that watch files exit at the end of their standard input.
#[test]
#[cfg(target_os = "linux")]
fn the_input_of_a_service_stays_open() {
    let sandbox =
        Sandbox::new().manifest("[services.watcher]\nprepare = \"cat\"\ncommand = \"exec cat\"");
    sandbox.run(&["up", "--detach"]).success();
    let watcher = service(&sandbox.status(), "watcher").clone();
    assert_eq!(watcher["state"], "ready");
    let input = std::fs::read_link(format!("/proc/{}/fd/0", watcher["pid"])).unwrap();
    assert!(input.to_string_lossy().starts_with("pipe:"), "{input:?}");
    sandbox.run(&["down"]).success();
    sandbox.wait_until_empty();
}

/// A worker that counts for longer than a service without a port has to run, then fails.
#[test]
#[cfg(unix)]
fn a_worker_that_fails_while_it_loads_was_never_ready() {
    let count = "i=0; while [ $i -lt 600000 ]; do i=$((i+1)); done";
    let sandbox = Sandbox::new().manifest(&format!(
        "[services.worker]\n\
         command = \"{count}; echo Error: no queue >&2; exit 3\"\nrestart = \"never\"\n\
         [services.next]\ncommand = \"touch started; sleep 600\"\nafter = [\"worker\"]"
    ));
    sandbox
        .fails(&["up", "--detach"], 5, "service_failed")
        .mentions("`worker` exited with code 3: Error: no queue");
    assert!(!sandbox.project().join("started").exists());
}

#[test]
#[cfg(unix)]
fn a_service_that_waits_for_an_answer_is_late_with_its_question() {
    let sandbox = Sandbox::new().manifest(
        "[services.web]\ncommand = \"printf 'Ok to proceed? (y) '; read answer\"\nport = \"%0\"\n\
         ready = { tcp = true, timeout = \"2s\" }",
    );
    sandbox
        .fails(&["up", "--detach"], 5, "service_failed")
        .mentions("within 2 s; it waits for an answer to `Ok to proceed? (y)`")
        .hints("portway attach web");
}
