//! Forced ports: those that a user writes into `.ports.json` or requires on the command line.

use std::net::TcpListener;

use crate::sandbox::{Sandbox, two_services};

fn ports(sandbox: &Sandbox) -> (u64, u64) {
    let json = sandbox.ports_json();
    let port = |key: &str| json[key].as_u64().unwrap();
    (port("backend_port"), port("frontend_port"))
}

/// Expects these ports in `.ports.json`, by their index.
fn expect(sandbox: &Sandbox, backend: u16, frontend: u16) {
    let expected = (sandbox.port(backend).into(), sandbox.port(frontend).into());
    assert_eq!(ports(sandbox), expected);
}

#[test]
fn a_port_in_the_file_stays_forced() {
    let sandbox = two_services().file(".ports.json", "{\"backend_port\": %5, \"mine\": 1}");
    for _ in 0..3 {
        sandbox.run(&["detect"]).success();
        expect(&sandbox, 5, 10);
    }
    sandbox.run(&["up", "--detach"]).success();
    expect(&sandbox, 5, 10);
    sandbox.run(&["down"]).success();
    // A forced port may be outside the range.
    sandbox.write(".ports.json", "{\"backend_port\": %30}");
    sandbox.run(&["detect"]).success();
    expect(&sandbox, 30, 10);
}

#[test]
fn removing_the_port_from_the_file_ends_forcing() {
    let sandbox = two_services().file(".ports.json", "{\"backend_port\": %5}");
    sandbox.run(&["detect"]).success();
    std::fs::remove_file(sandbox.project().join(".ports.json")).unwrap();
    sandbox.run(&["detect"]).success();
    expect(&sandbox, 0, 10);
}

#[test]
fn a_forced_port_in_use_is_an_error_for_a_backend() {
    let sandbox = two_services().file(".ports.json", "{\"backend_port\": %5}");
    let _other = TcpListener::bind(("127.0.0.1", sandbox.port(5))).unwrap();
    for command in ["up", "detect"] {
        sandbox
            .fails(&[command], 4, "port_taken")
            .mentions(format!("port {}", sandbox.port(5)))
            .names("backend")
            .mentions(format!("(pid {}", std::process::id()))
            .hints("`backend_port`")
            .hints("`.ports.json`")
            .hints("fallback = true");
    }
    // The file is not changed.
    assert_eq!(
        sandbox.read(".ports.json"),
        sandbox.expand("{\"backend_port\": %5}")
    );
}

#[test]
fn a_forced_port_in_use_moves_a_frontend_with_a_warning() {
    let sandbox = two_services().file(".ports.json", "{\"frontend_port\": %15}");
    let other = TcpListener::bind(("127.0.0.1", sandbox.port(15))).unwrap();
    let mut up = sandbox.spawn(&["up"]);
    // Only the warning contains the forced port and the process that is using it.
    up.wait_for_output("warning: ");
    up.wait_for_output(&sandbox.port(15).to_string());
    up.wait_for_output(&format!("(pid {}", std::process::id()));
    sandbox.wait_until_ready();
    let displaced = sandbox.status()["services"][1]["ports"][0]["displaced"].clone();
    assert_eq!(displaced["wanted"], sandbox.port(15));
    assert_eq!(displaced["forced"], true);
    expect(&sandbox, 0, 10);
    sandbox.run(&["down"]).success();
    up.wait();
    // The registry keeps the forced port.
    drop(other);
    sandbox.run(&["detect"]).success();
    expect(&sandbox, 0, 15);
}

#[test]
fn any_service_can_have_a_fallback() {
    let sandbox = Sandbox::new()
        .manifest("[services.api]\ncommand = \"x {port}\"\nport = \"%0-%9\"\nfallback = true")
        .file(".ports.json", "{\"api_port\": %5}");
    let _other = TcpListener::bind(("127.0.0.1", sandbox.port(5))).unwrap();
    sandbox.run(&["detect"]).success();
    assert_eq!(sandbox.ports_json()["api_port"], sandbox.port(0));
}

#[test]
fn a_port_can_be_forced_on_the_command_line() {
    let sandbox = two_services();
    let force = sandbox.expand("backend=%7");
    sandbox.run(&["detect", "--port", &force]).success();
    expect(&sandbox, 7, 10);
    sandbox.fails(&["detect", "--port", "backend=0"], 2, "usage");
    sandbox
        .fails(&["detect", "--port", "bakend=9000"], 2, "unknown_service")
        .names("bakend")
        .names("backend");
}

#[test]
fn an_invalid_ports_file_is_an_error_and_not_changed() {
    for (content, wrong) in [
        ("{broken", "JSON"),
        ("[]", "JSON object"),
        ("{\"backend_port\": 0}", "`backend_port`"),
        ("{\"backend_port\": 70000}", "`backend_port`"),
        ("{\"backend_port\": \"9000\"}", "`backend_port`"),
        (
            "{\"backend_port\": 9000, \"backend_url\": \"http://evil.example\"}",
            "`backend_url`",
        ),
    ] {
        let sandbox = two_services().file(".ports.json", content);
        sandbox
            .fails(&["up"], 2, "ports_file_invalid")
            .mentions(wrong)
            .at(".ports.json");
        assert_eq!(sandbox.read(".ports.json"), content);
    }
}
