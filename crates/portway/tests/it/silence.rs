//! Commands that wait for another process say so, and come to an end.

use std::fs::File;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::{Sandbox, two_services, wait_until};

fn signal(pid: u64, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

/// A suspended supervisor, which is resumed when this value is dropped.
pub struct Suspended(pub u64);

impl Suspended {
    pub fn of(sandbox: &Sandbox) -> Self {
        let pid = sandbox.status()["pid"].as_u64().unwrap();
        signal(pid, Signal::STOP);
        Self(pid)
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

#[test]
fn a_suspended_supervisor_is_named() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let suspended = Suspended::of(&sandbox);
    let resume = format!("kill -CONT {}", suspended.0);
    let commands: [&[&str]; 9] = [
        &["down"],
        &["down", "--now"],
        &["up", "--detach"],
        &["restart"],
        &["wait"],
        &["port", "backend"],
        &["env"],
        &["detect"],
        &["logs", "--follow"],
    ];
    // They wait at the same time.
    let mut running: Vec<_> = commands.iter().map(|one| sandbox.spawn(one)).collect();
    for (command, arguments) in running.iter_mut().zip(commands) {
        let start = Instant::now();
        assert_ne!(command.wait(), 0, "{arguments:?}");
        assert!(start.elapsed() < Duration::from_secs(30), "{arguments:?}");
        wait_until("the hint is printed", || command.output().contains(&resume));
    }
    let list = sandbox.run(&["ps", "--json"]).success().json();
    assert_eq!(list[0]["state"], "unresponsive");
    assert_eq!(list[0]["pid"], suspended.0);
    assert_eq!(list[0]["services"][0]["state"], "unknown");
    assert_eq!(list[0]["services"][0]["ports"][0]["port"], sandbox.port(0));
    sandbox.run(&["ps"]).success().stdout_has(&resume);
    drop(suspended);
    sandbox.run(&["down"]).success();
}

#[test]
fn wait_says_that_nothing_is_running() {
    let sandbox = two_services();
    let mut wait = sandbox.spawn(&["wait", "--timeout", "30s"]);
    wait.wait_for_output("no services of this checkout are running");
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(wait.wait(), 0);
}

#[test]
fn a_locked_registry_is_reported() {
    let sandbox = two_services();
    sandbox.run(&["detect"]).success();
    let lock = File::open(sandbox.state().join("registry.lock")).unwrap();
    lock.lock().unwrap();
    let mut detect = sandbox.spawn(&["detect"]);
    let output = detect.wait_for_output("registry.lock");
    if cfg!(target_os = "linux") {
        assert!(output.contains(&std::process::id().to_string()), "{output}");
    }
    lock.unlock().unwrap();
    assert_eq!(detect.wait(), 0);
}

#[test]
fn a_slow_stop_is_reported() {
    let sandbox = Sandbox::new().manifest(
        "[services.slow]\ncommand = \"trap '' TERM; echo started; while :; do sleep 0.1; done\"\n\
         ready = { log = \"started\" }\nstop = { grace = \"5s\" }",
    );
    sandbox.run(&["up", "--detach"]).success();
    sandbox
        .run(&["down"])
        .success()
        .stderr_has("`slow`")
        .stderr_has("stopped");
}

#[test]
fn ctrl_c_says_how_to_kill() {
    let sandbox = two_services();
    let mut up = sandbox.spawn(&["up"]);
    up.wait_for_output("press Ctrl-C to stop");
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
    let last = "stopping 2 services; press Ctrl-C again to kill";
    wait_until("the stop is announced", || up.output().contains(last));
}

#[test]
fn services_that_print_without_end_delay_no_start() {
    let flood = |name: &str| format!("[services.{name}]\ncommand = \"yes {name}\"\n");
    let sandbox = Sandbox::new().manifest(&format!(
        "{}{}{}[services.web]\ncommand = \"%service serve {{port}} --delay 300\"\nport = \"%0-%9\"",
        flood("a"),
        flood("b"),
        flood("c"),
    ));
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["wait", "--timeout", "60s"]).success();
    sandbox.run(&["down", "--now"]).success();
}
