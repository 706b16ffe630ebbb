//! The gateway, fixed ports and the local CA.

use std::fs;
use std::net::TcpListener;

use crate::gateway::gateway;
use crate::sandbox::two_services;
use crate::transcript::Transcript;

#[test]
fn the_gateway() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    let (port, other) = (sandbox.port(39).to_string(), sandbox.port(38).to_string());
    let taken = TcpListener::bind(("127.0.0.1", sandbox.port(39))).unwrap();
    transcript.run(
        &sandbox,
        "its port is in use",
        &["gateway", "--port", &port],
    );
    drop(taken);
    transcript.run(
        &sandbox,
        "HTTPS without a local CA",
        &["gateway", "--port", "0", "--tls-port", "0"],
    );
    transcript.run(
        &sandbox,
        "a start in the background",
        &["gateway", "--detach", "--port", &port],
    );
    transcript.run(&sandbox, "its status", &["gateway", "status"]);
    transcript.run(&sandbox, "a second one", &["gateway", "--port", &other]);
    transcript.run(
        &sandbox,
        "a second one in the background, on another port",
        &["gateway", "--detach", "--port", &other],
    );
    transcript.run(
        &sandbox,
        "the same with HTTPS",
        &["gateway", "--detach", "--tls-port", &other],
    );
    let mut preferred = sandbox.portway(&["gateway", "--detach"]);
    preferred.env("PORTWAY_GATEWAY_PORT", &other);
    let title = "a second one, while another port is preferred";
    transcript.run_as(&sandbox, title, "gateway --detach", preferred);
    transcript.run(&sandbox, "a name", &["url", "--name", "backend"]);
    transcript.run(&sandbox, "freeing its port", &["free", &port, "--yes"]);
    transcript.run(&sandbox, "a stop", &["gateway", "stop"]);
    let _other = TcpListener::bind(("127.0.0.1", sandbox.port(39))).unwrap();
    let mut up = sandbox.portway(&["up", "--detach"]);
    up.env("PORTWAY_GATEWAY_START", "with-up");
    up.env("PORTWAY_GATEWAY_PORT", &port);
    let title = "`up` starts the gateway, and its port is in use";
    transcript.run_as(&sandbox, title, "up --detach", up);
    transcript.run(
        &sandbox,
        "a service of the session",
        &["gateway", "install"],
    );
    transcript.run(&sandbox, "no longer one", &["gateway", "uninstall"]);
    transcript.assert("gateway");
}

#[test]
fn fixed_ports() {
    let mut transcript = Transcript::default();
    let sandbox = two_services();
    let _gateway = gateway(&sandbox);
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(38).to_string();
    let leased = sandbox.port(0).to_string();
    let taken = TcpListener::bind(("127.0.0.1", sandbox.port(38))).unwrap();
    transcript.run(&sandbox, "a port in use", &["forward", &port]);
    drop(taken);
    transcript.run(&sandbox, "a leased port", &["forward", &leased]);
    transcript.run(&sandbox, "a port", &["forward", &port]);
    transcript.run(&sandbox, "another service", &["forward", &port, "backend"]);
    transcript.run(&sandbox, "all of them", &["forward"]);
    let report = sandbox.run(&["who", &port, "--json"]).success().json();
    transcript.hide(report[0]["holders"][0]["user"].as_str().unwrap(), "dev");
    transcript.run(&sandbox, "who uses it", &["who", &port]);
    transcript.run(&sandbox, "freeing it", &["free", &port, "--yes"]);
    sandbox.run(&["gateway", "stop"]).success();
    transcript.run(&sandbox, "without a gateway", &["forward"]);
    transcript.run(&sandbox, "released", &["forward", &port, "--stop"]);
    fs::write(sandbox.state().join("gateway/last.json"), "{").unwrap();
    transcript.run(&sandbox, "a broken list", &["forward"]);
    transcript.assert("forward");
}
