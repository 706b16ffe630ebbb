//! No process and no socket outlives Portway.
//!
//! Tests stop an instance in every possible way, with processes that try to escape. An orderly stop
//! leaves no process, and takes at most a service's `stop.grace`.

mod escapes;
mod exec;
mod grace;
mod groups;
mod isolated;
mod killed;
mod output;
mod steps;
mod stops;
mod terminal;

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::sandbox::{Sandbox, wait_until};

/// How a process can try to outlive its parent.
const GRANDCHILDREN: [&str; 4] = ["plain", "setsid", "ignore", "daemon"];

/// The `stop.grace` of [`family`].
const GRACE: Duration = Duration::from_secs(1);

/// The time that a busy machine may need in addition to a grace period: far less than the "10m" of
/// [`stubborn`].
const SLACK: Duration = Duration::from_secs(8);

/// One service for each kind of grandchild. `keys` are further keys of each service.
fn family(keys: &str) -> Sandbox {
    family_with("", keys, "")
}

/// A [`family`] with text before and after its services.
fn family_with(top: &str, keys: &str, more: &str) -> Sandbox {
    let services: Vec<String> = GRANDCHILDREN
        .iter()
        .zip(0..)
        .map(|(kind, tens)| {
            format!(
                "[services.{kind}]
                command = \"%service serve {{port}} --grandchild {kind}\"
                port = \"%{tens}0-%{tens}9\"
                stop = {{ grace = \"1s\" }}
                {keys}\n"
            )
        })
        .collect();
    Sandbox::new().manifest(&format!("{top}{}{more}", services.join("")))
}

/// Waits until every process of a [`family`] has started.
fn wait_until_complete(sandbox: &Sandbox) {
    sandbox.run(&["wait"]).success();
    wait_until("every grandchild has started", || {
        pids(sandbox, "service sleep").len() == GRANDCHILDREN.len()
    });
}

/// A service that ignores signals and has a grace period of ten minutes.
fn stubborn() -> Sandbox {
    Sandbox::new().manifest(
        "[services.stubborn]
        command = \"%service serve {port} --ignore --grandchild ignore\"
        port = \"%0-%9\"
        stop = { grace = \"10m\" }",
    )
}

/// Services that run `slow.sh NAME SECONDS`: they take that long to exit, then append their name to
/// the file `stopped`.
fn slow(manifest: &str) -> Sandbox {
    Sandbox::new().manifest(manifest).file(
        "slow.sh",
        "trap 'sleep $2; echo $1 >> stopped; exit' TERM
        echo trapped
        while :; do sleep 0.02; done",
    )
}

/// The processes whose command line contains `text`.
fn pids(sandbox: &Sandbox, text: &str) -> Vec<u32> {
    let processes = sandbox.processes();
    let matches = processes.iter().filter(|(_, line)| line.contains(text));
    matches.map(|(pid, _)| *pid).collect()
}

/// The only instance of the sandbox.
fn instance(sandbox: &Sandbox) -> Value {
    sandbox.run(&["ps", "--json"]).success().json()[0].clone()
}

fn supervisor(sandbox: &Sandbox) -> u32 {
    instance(sandbox)["pid"].as_u64().unwrap() as u32
}

/// The keeper of the service whose command has this kind of grandchild.
fn keeper(sandbox: &Sandbox, grandchild: &str) -> u32 {
    let option = format!("--grandchild {grandchild}");
    let processes = sandbox.processes();
    let mut keepers = processes
        .iter()
        .filter(|(_, line)| line.contains("__keeper") && line.contains(&option));
    *keepers.next().unwrap().0
}

fn service(sandbox: &Sandbox, name: &str) -> Value {
    let services = instance(sandbox)["services"].clone();
    let services = services.as_array().unwrap();
    services
        .iter()
        .find(|one| one["name"] == name)
        .unwrap()
        .clone()
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

fn wait_until_state(sandbox: &Sandbox, name: &str, state: &str) {
    wait_until(&format!("{name} is {state}"), || {
        service(sandbox, name)["state"] == state
    });
}

/// Expects that nothing is left of an instance whose stop was requested at `start`.
#[track_caller]
fn assert_nothing_left(sandbox: &Sandbox, start: Instant, grace: Duration) {
    let left = sandbox.processes();
    assert!(left.is_empty(), "these processes are left: {left:#?}");
    let sockets: Vec<_> = fs::read_dir(sandbox.state().join("instances"))
        .unwrap()
        .map(|dir| dir.unwrap().path().join("control.sock"))
        .filter(|socket| socket.exists())
        .collect();
    assert!(sockets.is_empty(), "these sockets are left: {sockets:?}");
    wait_until_nothing_left(sandbox, start, grace);
}

/// Waits until no process is left and every port is free. Fails when the processes need more than
/// `grace` after `start`.
#[track_caller]
fn wait_until_nothing_left(sandbox: &Sandbox, start: Instant, grace: Duration) {
    sandbox.wait_until_empty();
    let took = start.elapsed();
    assert!(took < grace + SLACK, "it took {took:?}");
    // A process disappears from the list shortly before its sockets are closed.
    wait_until("every port is free", || {
        (0..40).all(|index| portway_ports::Hold::acquire(sandbox.port(index)).is_ok())
    });
}
