//! `portway up` and `portway down` of one checkout at the same time.

use crate::sandbox::{Sandbox, two_services, wait_until};

/// A service that takes some seconds to stop.
const SLOW_TO_STOP: &str = "
    [services.slow]
    command = \"trap 'sleep 4; exit 0' TERM; echo started; while :; do sleep 0.1; done\"
    ready = { log = \"started\" }
    stop = { grace = \"20s\" }
";

#[test]
fn up_waits_for_a_running_down_and_then_starts() {
    let sandbox = Sandbox::new().manifest(SLOW_TO_STOP);
    sandbox.run(&["up", "--detach"]).success();
    let before = sandbox.status()["pid"].clone();
    let mut down = sandbox.spawn(&["down"]);
    wait_until("the instance is stopping", || {
        sandbox.status()["state"] == "stopping"
    });
    sandbox
        .run(&["up", "--detach"])
        .success()
        .stderr_has("waiting for another command, such as `portway down`")
        .stderr_has("`slow`");
    assert_eq!(down.wait(), 0);
    let status = sandbox.status();
    assert_eq!(status["state"], "ready");
    assert_ne!(status["pid"], before);
}

#[test]
fn up_and_down_at_the_same_moment_both_succeed() {
    let sandbox = two_services();
    for _ in 0..25 {
        sandbox.run(&["up", "--detach"]).success();
        let mut down = sandbox.spawn(&["down"]);
        let mut up = sandbox.spawn(&["up", "--detach"]);
        let codes = (down.wait(), up.wait());
        assert_eq!(codes, (0, 0), "{}\n{}", down.output(), up.output());
    }
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(sandbox.ports_json()["backend_port"], sandbox.port(0));
}

#[test]
fn up_says_that_another_command_stopped_it() {
    for down in [&["down"][..], &["down", "--now"]] {
        let sandbox = two_services();
        let mut up = sandbox.spawn(&["up"]);
        up.wait_for_output("press Ctrl-C to stop");
        sandbox.run(down).success();
        assert_eq!(up.wait(), 0);
        let text = "stopping 2 services: another command, such as `portway down`, requested it";
        wait_until("the stop is announced", || up.output().contains(text));
    }
}
