//! Prepare steps and probes are stopped like services.

use std::time::Instant;

use rustix::process::Signal;

use super::terminal::{CTRL_C, Terminal};
use super::{
    GRACE, GRANDCHILDREN, assert_nothing_left, keeper, kill, pids, wait_until_nothing_left,
};
use crate::sandbox::{Sandbox, wait_until};

#[test]
fn a_running_prepare_step_is_stopped_with_its_process_tree() {
    let grandchildren = GRANDCHILDREN.map(|kind| format!("--grandchild {kind}"));
    let manifest = format!(
        "[services.api]
        command = \"%service serve {{port}}\"
        port = \"%0-%9\"
        prepare = \"%service sleep {}\"
        stop = {{ grace = \"1s\" }}",
        grandchildren.join(" ")
    );
    let wait_for_step = |sandbox: &Sandbox| {
        wait_until("every process of the prepare step has started", || {
            pids(sandbox, "service sleep").len() == 2 + GRANDCHILDREN.len()
        });
    };

    let sandbox = Sandbox::new().manifest(&manifest);
    let mut terminal = Terminal::up(&sandbox);
    wait_for_step(&sandbox);
    let start = Instant::now();
    terminal.press(CTRL_C);
    assert_eq!(terminal.wait(), 130);
    assert_nothing_left(&sandbox, start, GRACE);

    let sandbox = Sandbox::new().manifest(&manifest);
    let mut up = sandbox.spawn(&["up"]);
    wait_for_step(&sandbox);
    let start = Instant::now();
    up.signal(Signal::TERM);
    assert_eq!(up.wait(), 143);
    assert_nothing_left(&sandbox, start, GRACE);

    let sandbox = Sandbox::new().manifest(&manifest);
    let up = sandbox.spawn(&["up"]);
    wait_for_step(&sandbox);
    let start = Instant::now();
    up.signal(Signal::KILL);
    wait_until_nothing_left(&sandbox, start, GRACE);
}

#[test]
fn a_running_probe_is_stopped_with_its_process_tree() {
    for loses_its_keeper in [false, true] {
        let sandbox = Sandbox::new().manifest(
            "[services.api]
            command = \"%service serve {port}\"
            port = \"%0-%9\"
            ready = { exec = \"%service sleep --ignore --grandchild ignore\" }
            stop = { grace = \"1s\" }",
        );
        let mut up = sandbox.spawn(&["up"]);
        wait_until("every process of the probe has started", || {
            pids(&sandbox, "service sleep").len() == 3
        });
        if loses_its_keeper {
            let keeper = keeper(&sandbox, "ignore");
            kill(keeper, Signal::KILL);
            wait_until("the next probe runs", || {
                pids(&sandbox, "service sleep --ignore").len() == 2
                    && !sandbox.processes().contains_key(&keeper)
            });
        }
        let start = Instant::now();
        up.signal(Signal::INT);
        assert_eq!(up.wait(), 130);
        assert_nothing_left(&sandbox, start, GRACE);
    }
}
