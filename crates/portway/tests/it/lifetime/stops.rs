//! The ways to stop an instance: signals, `down`, a closed terminal, killed supervisors and keepers.

use std::time::Instant;

use rustix::process::Signal;

use super::terminal::{CTRL_C, Terminal};
use super::{
    GRACE, GRANDCHILDREN, assert_nothing_left, family, keeper, kill, pids, service, supervisor,
    wait_until_complete, wait_until_nothing_left, wait_until_state,
};
use crate::sandbox::wait_until;

#[test]
fn ctrl_c_stops_everything() {
    let sandbox = family("");
    let mut terminal = Terminal::up(&sandbox);
    wait_until_complete(&sandbox);
    let start = Instant::now();
    terminal.press(CTRL_C);
    assert_eq!(terminal.wait(), 130);
    assert_nothing_left(&sandbox, start, GRACE);
}

#[test]
fn sigterm_to_the_supervisor_stops_everything() {
    let sandbox = family("");
    let mut up = sandbox.spawn(&["up"]);
    wait_until_complete(&sandbox);
    assert_eq!(supervisor(&sandbox), up.pid());
    let start = Instant::now();
    up.signal(Signal::TERM);
    assert_eq!(up.wait(), 143);
    assert_nothing_left(&sandbox, start, GRACE);
}

#[test]
fn sigterm_to_a_detached_supervisor_stops_everything() {
    let sandbox = family("");
    sandbox.run(&["up", "--detach"]).success();
    wait_until_complete(&sandbox);
    let supervisor = supervisor(&sandbox);
    let start = Instant::now();
    kill(supervisor, Signal::TERM);
    wait_until("the supervisor exits", || {
        !sandbox.processes().contains_key(&supervisor)
    });
    assert_nothing_left(&sandbox, start, GRACE);
}

#[test]
fn down_stops_everything() {
    for detach in [false, true] {
        let sandbox = family("");
        let _up = if detach {
            sandbox.run(&["up", "--detach"]).success();
            None
        } else {
            Some(sandbox.spawn(&["up"]))
        };
        wait_until_complete(&sandbox);
        let supervisor = supervisor(&sandbox);
        let start = Instant::now();
        sandbox.run(&["down"]).success();
        // The supervisor responds shortly before it exits; no other process may be left.
        let mut left = sandbox.processes();
        left.remove(&supervisor);
        assert!(left.is_empty(), "these processes are left: {left:#?}");
        sandbox.wait_until_empty();
        assert_nothing_left(&sandbox, start, GRACE);
    }
}

#[test]
fn closing_the_terminal_stops_everything() {
    for script in [
        "exec \"$0\" up",
        "trap '' HUP; exec \"$0\" up",
        // The kernel sends no SIGHUP to a background job when its terminal closes.
        "set -m; \"$0\" up & wait",
    ] {
        let sandbox = family("");
        let mut terminal = Terminal::shell(&sandbox, script);
        wait_until_complete(&sandbox);
        let start = Instant::now();
        terminal.close();
        terminal.wait();
        wait_until_nothing_left(&sandbox, start, GRACE);
        assert_nothing_left(&sandbox, start, GRACE);
    }
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
        wait_until_complete(&sandbox);
        let start = Instant::now();
        kill(supervisor(&sandbox), Signal::KILL);
        wait_until_nothing_left(&sandbox, start, GRACE);
    }
}

#[test]
fn killing_a_keeper_fails_a_service_that_never_restarts() {
    let sandbox = family("restart = \"never\"");
    let mut up = sandbox.spawn(&["up"]);
    wait_until_complete(&sandbox);
    let start = Instant::now();
    for keeper in pids(&sandbox, "__keeper") {
        kill(keeper, Signal::KILL);
    }
    for service in GRANDCHILDREN {
        wait_until_state(&sandbox, service, "failed");
    }
    let mut left = sandbox.processes();
    left.retain(|_, line| !line.contains("__guard"));
    assert!(
        left.keys().eq([&up.pid()]),
        "these processes are left: {left:#?}"
    );
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
    assert_nothing_left(&sandbox, start, GRACE);
}

#[test]
fn killing_a_keeper_restarts_its_service() {
    let sandbox = family("");
    let mut up = sandbox.spawn(&["up"]);
    wait_until_complete(&sandbox);
    for (name, tens) in GRANDCHILDREN.iter().zip(0..) {
        let keeper = keeper(&sandbox, name);
        let tree = portway_supervisor::process::descendants(keeper);
        assert_eq!(tree.len(), 2, "{name}");
        kill(keeper, Signal::KILL);
        wait_until("the service runs again", || {
            let service = service(&sandbox, name);
            service["state"] == "ready" && service["restarts"] == 1
        });
        let now = sandbox.processes();
        assert!(tree.iter().all(|old| !now.contains_key(&old.pid)), "{name}");
        let port = &service(&sandbox, name)["ports"][0]["port"];
        assert_eq!(*port, sandbox.port(tens * 10));
    }
    let start = Instant::now();
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
    assert_nothing_left(&sandbox, start, GRACE);
}
