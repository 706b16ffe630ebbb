//! Forced ports: what a person writes into `.ports.json`, or insists on by hand.

use std::net::TcpListener;

use crate::sandbox::{Sandbox, two_services};

fn ports(sandbox: &Sandbox) -> (u64, u64) {
    let json = sandbox.ports_json();
    let port = |key: &str| json[key].as_u64().unwrap();
    (port("backend_port"), port("frontend_port"))
}

fn expect(sandbox: &Sandbox, backend: u16, frontend: u16) {
    let expected = (sandbox.port(backend).into(), sandbox.port(frontend).into());
    assert_eq!(ports(sandbox), expected);
}

#[test]
fn a_port_in_the_file_is_honoured_and_stays_forced() {
    let sandbox = two_services().file(".ports.json", "{\"backend_port\": %5, \"mine\": 1}");
    for _ in 0..3 {
        sandbox.run(&["detect"]).success();
        expect(&sandbox, 5, 10);
    }
    sandbox.run(&["up", "--detach"]).success();
    expect(&sandbox, 5, 10);
    sandbox.run(&["down"]).success();
    // Outside the range as well: a person asked for it.
    sandbox.write(".ports.json", "{\"backend_port\": %30}");
    sandbox.run(&["detect"]).success();
    expect(&sandbox, 30, 10);
}

#[test]
fn taking_the_port_out_of_the_file_lets_portway_choose_again() {
    let sandbox = two_services().file(".ports.json", "{\"backend_port\": %5}");
    sandbox.run(&["detect"]).success();
    std::fs::remove_file(sandbox.project().join(".ports.json")).unwrap();
    sandbox.run(&["detect"]).success();
    expect(&sandbox, 0, 10);
}

#[test]
fn a_taken_port_stops_a_backend_with_who_has_it_and_the_ways_out() {
    let sandbox = two_services().file(".ports.json", "{\"backend_port\": %5}");
    let _holder = TcpListener::bind(("127.0.0.1", sandbox.port(5))).unwrap();
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
    // The file is the person's and stays as it was.
    assert_eq!(
        sandbox.read(".ports.json"),
        sandbox.expand("{\"backend_port\": %5}")
    );
}

#[test]
fn a_taken_port_makes_a_frontend_move_on_loudly() {
    let sandbox = two_services().file(".ports.json", "{\"frontend_port\": %15}");
    let holder = TcpListener::bind(("127.0.0.1", sandbox.port(15))).unwrap();
    let mut up = sandbox.spawn(&["up"]);
    // Only the warning has the port that was asked for, and who has it.
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
    // The wish is not forgotten.
    drop(holder);
    sandbox.run(&["detect"]).success();
    expect(&sandbox, 0, 15);
}

#[test]
fn fallback_may_be_chosen_for_any_service() {
    let sandbox = Sandbox::new()
        .manifest("[services.api]\ncommand = \"x {port}\"\nport = \"%0-%9\"\nfallback = true")
        .file(".ports.json", "{\"api_port\": %5}");
    let _holder = TcpListener::bind(("127.0.0.1", sandbox.port(5))).unwrap();
    sandbox.run(&["detect"]).success();
    assert_eq!(sandbox.ports_json()["api_port"], sandbox.port(0));
}

#[test]
fn a_port_may_be_forced_on_the_command_line() {
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
fn a_file_that_cannot_be_used_is_an_error_and_stays() {
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
