//! One service fails, and the others keep running.

use std::fs;

use serde_json::Value;

use super::service;
use crate::sandbox::{Sandbox, http_get, wait_until};

/// Two services: `good`, and `bad`, which fails until the file `fixed` exists. `web` waits for `bad`.
const ONE_FAILS: &str = "
    [services.good]
    command = \"%service serve {port}\"
    port = \"%0\"
    [services.bad]
    command = \"test -f fixed || { echo no such table; exit 3; }; exec %service serve {port}\"
    port = \"%1\"
    restart = \"never\"
    [services.web]
    command = \"%service serve {port}\"
    port = \"%2\"
    after = [\"bad\"]
";

fn state(sandbox: &Sandbox, name: &str) -> Value {
    service(&sandbox.status(), name)["state"].clone()
}

#[test]
fn the_others_keep_running_in_the_background() {
    let sandbox = Sandbox::new().manifest(ONE_FAILS);
    let failed = sandbox.fails(&["up", "--detach"], 5, "service_failed");
    failed
        .names("bad")
        .mentions("code 3")
        .mentions("`web` is waiting for `bad`, which failed")
        .mentions("no such table")
        .hints("portway logs bad")
        .hints("portway down");
    let status = sandbox.status();
    assert_eq!(status["state"], "degraded");
    assert_eq!(service(&status, "good")["state"], "ready");
    let bad = service(&status, "bad");
    assert_eq!(bad["state"], "failed");
    assert_eq!(bad["last_output"], serde_json::json!(["no such table"]));
    assert_eq!(service(&status, "web")["state"], "waiting");
    let pid = http_get(sandbox.port(0), "/").unwrap();
    sandbox.fails(&["wait"], 5, "service_failed").names("bad");
    sandbox
        .fails(&["wait", "web"], 5, "service_failed")
        .names("web")
        .names("bad");
    sandbox.run(&["wait", "good"]).success();
    // A second `up` starts what failed, and what waits for it follows.
    sandbox.write("fixed", "");
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(sandbox.status()["state"], "ready");
    assert_eq!(http_get(sandbox.port(0), "/").unwrap(), pid);
    sandbox.run(&["wait"]).success();
}

#[test]
fn the_foreground_reports_a_failure_once_and_continues() {
    let sandbox = Sandbox::new().manifest(ONE_FAILS);
    let mut up = sandbox.spawn(&["up"]);
    up.wait_for_output("press Ctrl-C");
    let output = up.wait_for_output(&sandbox.expand("http://localhost:%0"));
    let count = |text: &str| output.matches(text).count();
    assert_eq!(count("exited with code 3"), 1, "{output}");
    assert_eq!(count("is waiting for `bad`"), 1, "{output}");
    assert!(output.contains("code 3: no such table\n"), "{output}");
    assert!(output.contains("portway logs bad"), "{output}");
    assert!(http_get(sandbox.port(0), "/").is_some());
    sandbox.write("fixed", "");
    sandbox.run(&["restart", "bad"]).success();
    sandbox.run(&["wait", "web"]).success();
    up.signal(rustix::process::Signal::INT);
    assert_eq!(up.wait(), 130);
}

#[test]
fn everything_stops_on_request() {
    let sandbox = Sandbox::new().manifest(ONE_FAILS);
    for arguments in [
        &["up", "--abort-on-failure"][..],
        &["up", "--detach", "--abort-on-failure"],
    ] {
        sandbox
            .run(arguments)
            .code(5)
            .stderr_has("`bad` exited with code 3");
        assert!(sandbox.processes().is_empty());
    }
    let in_manifest = format!("abort_on_failure = true\n{ONE_FAILS}");
    sandbox.write("portway.toml", &in_manifest);
    sandbox
        .fails(&["up", "--detach"], 5, "service_failed")
        .names("bad");
    assert!(sandbox.processes().is_empty());
    // It holds after the start, too.
    sandbox.write("fixed", "");
    let mut up = sandbox.spawn(&["up"]);
    sandbox.wait_until_ready();
    http_get(sandbox.port(1), "/exit/4");
    assert_eq!(up.wait(), 5);
    assert!(up.output().contains("`bad` exited with code 4"));
    sandbox.wait_until_empty();
}

#[test]
fn a_failure_shows_the_lines_of_its_own_start() {
    let sandbox = Sandbox::new();
    for run in ["one", "two"] {
        let manifest =
            format!("[services.a]\ncommand = \"echo run-{run}; exit 3\"\nrestart = \"never\"\n");
        sandbox.write("portway.toml", &manifest);
        let printed = sandbox.run(&["up", "--detach"]).code(5).stderr();
        assert!(
            printed.contains(&format!("code 3: run-{run}\n")),
            "{printed}"
        );
        assert_eq!(printed.matches("run-").count(), 1, "{printed}");
    }
}

#[test]
fn does_not_retry_a_missing_module_or_file() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"echo x >> starts; python3 -m no_such_module\"\n\
         port = \"%0\"\nready = { tcp = true, timeout = \"30s\" }",
    );
    sandbox
        .fails(&["up", "--detach"], 5, "service_failed")
        .names("a")
        .mentions("No module named no_such_module");
    assert_eq!(sandbox.read("starts"), "x\n");
}

#[test]
fn a_reloader_that_waits_for_a_change_keeps_running() {
    // As a reloader, it waits for the next change of the file when the program does not start.
    let sandbox = Sandbox::new().manifest(
        "[services.a]\n\
         command = \"echo broken; while ! test -f fixed; do sleep 0.05; done; \
         exec %service serve {port}\"\n\
         port = \"%0\"\nready = { tcp = true, timeout = \"200ms\" }\n\
         [services.b]\ncommand = \"%service serve {port}\"\nport = \"%1\"",
    );
    sandbox
        .fails(&["up", "--detach"], 5, "service_failed")
        .names("a")
        .mentions("broken")
        .mentions("0.2 s");
    assert_eq!(state(&sandbox, "a"), "unhealthy");
    assert_eq!(state(&sandbox, "b"), "ready");
    sandbox.fails(&["wait"], 5, "service_failed").names("a");
    sandbox.write("fixed", "");
    wait_until("it is ready", || state(&sandbox, "a") == "ready");
    sandbox.run(&["wait"]).success();
    assert_eq!(service(&sandbox.status(), "a")["restarts"], 0);
}

#[test]
fn the_last_lines_have_no_escape_sequences() {
    let sandbox = Sandbox::new();
    // Clears the screen and sets the title.
    let script = "printf '\\033[2Jred\\033]0;title\\007\\n'; exit 3\n";
    fs::write(sandbox.project().join("run.sh"), script).unwrap();
    sandbox.write(
        "portway.toml",
        "[services.a]\ncommand = \"sh run.sh\"\nrestart = \"never\"\n",
    );
    for arguments in [&["up"][..], &["up", "--detach"]] {
        let ran = sandbox.run(arguments).code(5).stderr_has("code 3: red\n");
        let printed = ran.stdout() + &ran.stderr();
        assert!(!printed.contains(['\x1b', '\x07']), "{printed:?}");
    }
}
