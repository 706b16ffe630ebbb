//! Services that fail to start, exit, or stop answering.

use super::{service, two_services};
use crate::sandbox::{Sandbox, http_get, wait_until};

#[test]
fn a_start_of_which_nothing_is_left_fails() {
    let sandbox = Sandbox::new().manifest(
        "[services.done]\ncommand = \"%service sleep --fail 0\"\n\
         [services.bad]\ncommand = \"%service serve {port} --print no-such-table --fail 3\"\n\
         port = \"%1\"\nrestart = \"never\"",
    );
    for arguments in [&["up"][..], &["up", "--detach"]] {
        sandbox
            .run(arguments)
            .code(5)
            .stderr_has("`bad`")
            .stderr_has("portway logs bad");
        assert!(sandbox.processes().is_empty());
        sandbox
            .fails(arguments, 5, "service_failed")
            .names("bad")
            .mentions("code 3")
            .hints("portway logs bad");
        assert!(sandbox.processes().is_empty());
    }
    sandbox
        .run(&["logs", "bad"])
        .success()
        .stdout_has("no-such-table");
}

#[test]
#[cfg(unix)]
fn a_missing_program_has_its_own_code() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"no-such-program\"\nrestart = \"never\"\nport = \"%0\"",
    );
    sandbox.fails(&["up"], 3, "missing_requirement").names("a");
    let sandbox = Sandbox::new().manifest("[services.a]\ncommand = \"true\"\ndir = \"nowhere\"");
    sandbox
        .fails(&["up"], 5, "service_failed")
        .mentions("nowhere`");
}

#[test]
#[cfg(unix)]
fn a_missing_program_of_a_service_without_a_port_fails_the_start() {
    let sandbox = Sandbox::new().manifest("[services.worker]\ncommand = \"no-such-program\"");
    sandbox
        .fails(&["up", "--detach"], 3, "missing_requirement")
        .names("worker");
    sandbox.wait_until_empty();
}

#[test]
fn a_crashed_service_restarts_on_its_port() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(0);
    let first = http_get(port, "/").unwrap();
    http_get(port, "/exit/7");
    wait_until("it serves again", || {
        http_get(port, "/").is_some_and(|pid| pid != first)
    });
    wait_until("it is ready again", || {
        service(&sandbox.status(), "backend")["state"] == "ready"
    });
    assert_eq!(service(&sandbox.status(), "backend")["restarts"], 1);
}

#[test]
fn retries_a_service_that_fails_to_start() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port} --print trying --fail-until starts 2\"\nport = \"%0\"\n\
         [services.b]\ncommand = \"%service serve {port}\"\nport = \"%1\"",
    );
    // The third start succeeds.
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(service(&sandbox.status(), "a")["restarts"], 2);
}

#[test]
fn a_service_that_listens_elsewhere_is_reported() {
    let manifest = "[services.a]\ncommand = \"%service serve %5\"\nport = \"%0\"\n\
                     ready = { tcp = true, timeout = \"4s\" }";
    let sandbox = Sandbox::new().manifest(manifest);
    let ran = sandbox.run(&["up", "--detach", "--json"]).code(5);
    ran.error("service_failed").names("a");
    // The warning names both ports.
    ran.stderr_has("warning: ")
        .stderr_has(&sandbox.expand("port %5"))
        .stderr_has(&sandbox.expand("port %0"));
}

#[test]
fn a_service_that_stops_answering_is_restarted() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port} --unhealthy-file sick\"\nport = \"%0\"\n\
         liveness = { http = \"/health\", interval = \"20ms\", failures = 2 }",
    );
    sandbox.run(&["up", "--detach"]).success();
    let first = http_get(sandbox.port(0), "/").unwrap();
    sandbox.write("sick", "");
    wait_until("it is stopped", || {
        http_get(sandbox.port(0), "/").is_none_or(|pid| pid != first)
    });
    std::fs::remove_file(sandbox.project().join("sick")).unwrap();
    wait_until("it is ready again", || {
        service(&sandbox.status(), "a")["state"] == "ready"
    });
    assert!(service(&sandbox.status(), "a")["restarts"].as_u64() >= Some(1));
}

#[test]
fn a_failure_names_the_variables_that_nothing_sets() {
    let sandbox = Sandbox::new()
        .file(
            "app.js",
            "connect(process.env.SHOP_URI)\nconnect(process.env.SHOP_CACHE)\nif (process.env.SHOP_DSN) {}\n",
        )
        .file(".env", "SHOP_CACHE=redis://example.com\n")
        .manifest(
            "[services.bad]\ncommand = \"%service serve {port} --print no-such-table --fail 3\"\n\
             port = \"%0\"\nrestart = \"never\"",
        );
    sandbox
        .fails(&["up", "--detach"], 5, "service_failed")
        .names("bad")
        .hints("nothing sets `SHOP_URI` (app.js:1), which the code of `bad` reads")
        .hints("`SHOP_URI=…` into `.env`");
}
