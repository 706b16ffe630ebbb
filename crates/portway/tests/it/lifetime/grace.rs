//! How long a stop takes: a service's grace period, second signals, and the order of services.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::terminal::{CTRL_C, Terminal};
use super::{
    GRACE, assert_nothing_left, instance, keeper, kill, service, slow, stubborn, wait_until_state,
};
use crate::sandbox::{RunningCommand, Sandbox, wait_until};

#[test]
fn a_service_that_ignores_every_signal_is_killed_after_its_grace() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let sandbox = Sandbox::new().manifest(
            "[services.stubborn]
            command = \"%service serve {port} --ignore\"
            port = \"%0-%9\"
            stop = { grace = \"1s\" }",
        );
        let mut up = sandbox.spawn(&["up"]);
        sandbox.run(&["wait"]).success();
        let start = Instant::now();
        up.signal(signal);
        assert_eq!(up.wait(), code);
        assert!(
            start.elapsed() >= GRACE,
            "it was killed after {:?}",
            start.elapsed()
        );
        assert_nothing_left(&sandbox, start, GRACE);
    }
}

#[test]
fn a_service_gets_its_grace_when_the_terminal_closes() {
    let sandbox = slow(
        "[services.only]
        command = \"sh slow.sh only 0.5\"
        ready = { log = \"trapped\" }",
    );
    let mut terminal = Terminal::up(&sandbox);
    sandbox.run(&["wait"]).success();
    let start = Instant::now();
    terminal.close();
    terminal.wait();
    assert_nothing_left(&sandbox, start, Duration::ZERO);
    assert_eq!(sandbox.read("stopped"), "only\n");
}

#[test]
fn a_stop_does_not_wait_for_the_rest_of_the_grace() {
    let sandbox = Sandbox::new().manifest(
        "[services.api]
        command = \"%service serve {port} --grandchild plain --grandchild setsid\"
        port = \"%0-%9\"
        stop = { grace = \"10m\" }",
    );
    let mut up = sandbox.spawn(&["up"]);
    sandbox.run(&["wait"]).success();
    let start = Instant::now();
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
    assert_nothing_left(&sandbox, start, Duration::ZERO);
}

#[test]
fn a_stop_takes_no_longer_than_the_services() {
    let stop = || {
        let sandbox = Sandbox::new().manifest(
            "[services.api]
            command = \"%service serve {port}\"
            port = \"%0-%9\"",
        );
        let mut up = sandbox.spawn(&["up"]);
        sandbox.run(&["wait"]).success();
        let start = Instant::now();
        up.signal(Signal::INT);
        assert_eq!(up.wait(), 130);
        start.elapsed()
    };
    // The fastest of several stops counts, because the machine may be busy.
    assert!((0..10).any(|_| stop() < Duration::from_millis(500)));
}

#[test]
fn a_second_ctrl_c_kills_at_once() {
    let sandbox = stubborn();
    let mut terminal = Terminal::up(&sandbox);
    sandbox.run(&["wait"]).success();
    terminal.press(CTRL_C);
    wait_until_state(&sandbox, "stubborn", "stopping");
    let start = Instant::now();
    terminal.press(CTRL_C);
    assert_eq!(terminal.wait(), 130);
    assert_nothing_left(&sandbox, start, Duration::ZERO);
}

#[test]
fn a_second_signal_of_any_kind_kills() {
    type Stop = fn(&Sandbox, &RunningCommand) -> Option<RunningCommand>;
    let interrupt: Stop = |_, up| {
        up.signal(Signal::INT);
        None
    };
    let terminate: Stop = |_, up| {
        up.signal(Signal::TERM);
        None
    };
    let hang_up: Stop = |_, up| {
        up.signal(Signal::HUP);
        None
    };
    let down: Stop = |sandbox, _| Some(sandbox.spawn(&["down"]));
    let stop_one: Stop = |sandbox, up| {
        let down = sandbox.spawn(&["down", "stubborn"]);
        wait_until_state(sandbox, "stubborn", "stopping");
        up.signal(Signal::INT);
        Some(down)
    };
    for (first, then, code) in [
        (interrupt, terminate, 130),
        (terminate, interrupt, 143),
        (hang_up, interrupt, 129),
        (down, interrupt, 0),
        (down, terminate, 0),
        (stop_one, interrupt, 130),
    ] {
        let sandbox = stubborn();
        let mut up = sandbox.spawn(&["up"]);
        sandbox.run(&["wait"]).success();
        let down = first(&sandbox, &up);
        wait_until("it is stopping", || {
            instance(&sandbox)["state"] == "stopping"
        });
        let start = Instant::now();
        then(&sandbox, &up);
        assert_eq!(up.wait(), code);
        if let Some(mut down) = down {
            down.wait();
        }
        assert_nothing_left(&sandbox, start, Duration::ZERO);
    }
}

#[test]
fn down_now_kills_stopping_services() {
    let sandbox = stubborn();
    sandbox.run(&["up", "--detach"]).success();
    let mut down = sandbox.spawn(&["down"]);
    wait_until_state(&sandbox, "stubborn", "stopping");
    let start = Instant::now();
    sandbox.run(&["down", "--now"]).success();
    assert_eq!(down.wait(), 0);
    sandbox.wait_until_empty();
    assert_nothing_left(&sandbox, start, Duration::ZERO);
}

#[test]
fn any_number_of_signals_stops_everything() {
    let sandbox = stubborn();
    let mut up = sandbox.spawn(&["up"]);
    sandbox.run(&["wait"]).success();
    let start = Instant::now();
    up.signal(Signal::INT);
    wait_until("every process is gone", || {
        // A signal that arrives too late finds a zombie.
        up.signal(Signal::INT);
        sandbox.processes().is_empty()
    });
    assert_eq!(up.wait(), 130);
    assert_nothing_left(&sandbox, start, Duration::ZERO);
}

#[test]
fn a_second_signal_also_kills_the_processes_of_a_lost_keeper() {
    let sandbox = stubborn();
    let mut up = sandbox.spawn(&["up"]);
    sandbox.run(&["wait"]).success();
    kill(keeper(&sandbox, "ignore"), Signal::KILL);
    wait_until("the loss of the keeper is logged", || {
        let events = sandbox.portway_log("stubborn");
        events.iter().any(|text| text.contains("keeper"))
    });
    up.signal(Signal::INT);
    wait_until_state(&sandbox, "stubborn", "stopping");
    let start = Instant::now();
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
    assert_nothing_left(&sandbox, start, Duration::ZERO);
}

#[test]
fn only_the_processes_of_a_lost_keeper_are_stopped() {
    let sandbox = Sandbox::new().manifest(
        "[services.lost]
        command = \"%service sleep --grandchild ignore\"
        stop = { grace = \"2s\" }
        [services.other]
        command = \"%service serve {port}\"
        port = \"%0-%9\"",
    );
    let mut up = sandbox.spawn(&["up"]);
    sandbox.run(&["wait"]).success();
    kill(keeper(&sandbox, "ignore"), Signal::KILL);
    // A new keeper starts while the orphans of the other service are being stopped.
    sandbox.run(&["restart", "other"]).success();
    let pid = service(&sandbox, "other")["pid"].clone();
    wait_until("the service with the lost keeper runs again", || {
        let lost = service(&sandbox, "lost");
        lost["state"] == "ready" && lost["restarts"] == 1
    });
    let other = service(&sandbox, "other");
    assert_eq!(other["pid"], pid);
    assert_eq!(other["restarts"], 0);
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
}

#[test]
fn dependents_stop_first() {
    // Dependencies exit faster than their dependents: stopped concurrently, they would exit first.
    let sandbox = slow(
        "[services.base]
        command = \"sh slow.sh base 0\"
        ready = { log = \"trapped\" }
        [services.middle]
        command = \"sh slow.sh middle 0.3\"
        ready = { log = \"trapped\" }
        after = [\"base\"]
        [services.top]
        command = \"sh slow.sh top 0.6\"
        ready = { log = \"trapped\" }
        after = [\"middle\"]",
    );
    let mut terminal = Terminal::up(&sandbox);
    sandbox.run(&["wait"]).success();
    let start = Instant::now();
    terminal.press(CTRL_C);
    assert_eq!(terminal.wait(), 130);
    assert_nothing_left(&sandbox, start, Duration::ZERO);
    assert_eq!(sandbox.read("stopped"), "top\nmiddle\nbase\n");
}
