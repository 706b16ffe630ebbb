//! The handover of a port from its hold to its service, and processes that interfere with it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;

use portway_ports::Hold;
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use crate::sandbox::{RunningCommand, Sandbox, http_get, wait_until};
use crate::transcript::Transcript;

fn one(options: &str) -> Sandbox {
    Sandbox::new().manifest(&format!(
        "[services.a]\ncommand = \"%service serve {{port}} {options}\"\nport = \"%0-%9\""
    ))
}

/// Whether another process that sets SO_REUSEADDR could listen at an address.
fn can_listen(host: &str, port: u16) -> bool {
    let address = SocketAddr::new(host.parse().unwrap(), port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket
        .bind(&address.into())
        .and_then(|()| socket.listen(1))
        .is_ok()
}

#[test]
fn no_other_process_can_listen_while_a_service_runs() {
    let sandbox = one("");
    sandbox.run(&["up", "--detach"]).success();
    for host in ["127.0.0.1", "::1"] {
        assert!(!can_listen(host, sandbox.port(0)), "{host}");
    }
}

#[test]
fn the_port_is_held_while_the_service_is_stopped() {
    let sandbox = one("");
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["down", "a"]).success();
    assert!(TcpStream::connect(("127.0.0.1", sandbox.port(0))).is_err());
    for host in ["127.0.0.1", "::1", "127.0.0.2"] {
        assert!(!can_listen(host, sandbox.port(0)), "{host}");
    }
    sandbox.run(&["down"]).success();
    assert!(Hold::acquire(sandbox.port(0)).is_ok());
}

#[test]
fn a_service_can_close_its_socket_and_bind_again() {
    let sandbox = one("--rebind");
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(0);
    let pid = http_get(port, "/").unwrap();
    for _ in 0..20 {
        http_get(port, "/rebind");
        wait_until("it serves again", || {
            http_get(port, "/").as_ref() == Some(&pid)
        });
    }
    assert_eq!(sandbox.status()["services"][0]["restarts"], 0);
}

#[test]
fn a_server_without_reuse_address_still_starts() {
    let sandbox = one("--no-reuse");
    sandbox.run(&["up", "--detach"]).success();
    let events = sandbox.portway_log("a");
    assert!(
        events.iter().any(|text| text.contains("without the hold")),
        "{events:?}"
    );
    // A restart works, too. No client has connected: without the option a server cannot bind while
    // a connection is in TIME_WAIT.
    sandbox.run(&["restart", "a"]).success();
    assert!(http_get(sandbox.port(0), "/").is_some());
    // Its port is held while it is stopped.
    sandbox.run(&["down", "a"]).success();
    assert!(!can_listen("127.0.0.1", sandbox.port(0)));
}

#[test]
fn a_service_can_receive_its_socket() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve --fd\"\nport = \"%0-%9\"\nsocket = \"fd\"",
    );
    sandbox.run(&["up", "--detach"]).success();
    let pid = http_get(sandbox.port(0), "/").unwrap();
    assert_eq!(sandbox.status()["services"][0]["pid"].to_string(), pid);
    sandbox.run(&["restart", "a"]).success();
    assert!(http_get(sandbox.port(0), "/").is_some_and(|new| new != pid));
}

/// Starts a process that listens on the first of these ports that becomes free.
fn take_port(sandbox: &Sandbox, ports: std::ops::Range<u16>) -> RunningCommand {
    let mut command = sandbox.command(crate::sandbox::test_service());
    command.arg("grab");
    command.args(ports.map(|index| sandbox.port(index).to_string()));
    command.stdin(Stdio::null());
    RunningCommand::start(command)
}

#[test]
fn a_port_lost_during_handover_is_replaced_everywhere() {
    let sandbox = Sandbox::new().manifest(
        "[services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
         [services.frontend]\ncommand = \"%service serve {port} --delay 300\"\nport = \"%10-%19\"\n\
         after = [\"backend\"]",
    );
    let mut up = sandbox.spawn(&["up"]);
    // The backend has the frontend's port in its environment. Now another process takes that port.
    wait_until("the backend serves", || {
        http_get(sandbox.port(0), "/").is_some()
    });
    let mut other = take_port(&sandbox, 10..11);
    other.wait_for_output("grabbed");
    sandbox.wait_until_ready();
    let json = sandbox.ports_json();
    assert_eq!(json["frontend_port"], sandbox.port(11));
    let moved = sandbox.port(11);
    assert_eq!(http_get(moved, "/env/PORT").unwrap(), moved.to_string());
    // The backend restarts with the new wiring.
    wait_until("the backend has the new URL", || {
        let url = http_get(sandbox.port(0), "/env/FRONTEND_URL");
        url == Some(format!("http://localhost:{moved}"))
    });
    let origins = http_get(sandbox.port(0), "/env/CORS_ORIGINS").unwrap();
    assert!(
        origins.contains(&format!("http://localhost:{moved}")),
        "{origins}"
    );
    // The log names both ports, the other process, and why the backend restarts.
    let (old, pid) = (sandbox.expand("port %10"), format!("(pid {}", other.pid()));
    let mut transcript = Transcript::default();
    for service in ["frontend", "backend"] {
        let lines = sandbox.portway_log(service).join("\n");
        transcript.text(&sandbox, service, &lines);
    }
    transcript.assert("moved-port");
    let events = sandbox.portway_log("frontend");
    assert!(
        events.iter().any(|text| text.contains(&old)
            && text.contains(&pid)
            && text.contains(&format!("port {moved}"))),
        "{events:?}"
    );
    let events = sandbox.portway_log("backend");
    assert!(
        events.iter().any(|text| text.contains("`frontend`")),
        "{events:?}"
    );
    up.wait_for_output(&pid);
    let env = sandbox.run(&["env", "--json"]).success().json();
    assert_eq!(env["FRONTEND_PORT"], moved.to_string());
    up.signal(Signal::TERM);
    assert_eq!(up.wait(), 143);
}

#[test]
fn a_listener_outside_the_process_tree_is_allowed_if_the_manifest_says_so() {
    let manifest = |owner: &str| {
        format!(
            "[services.a]\ncommand = \"sleep 600\"\nport = \"%0\"\n{owner}\nready = {{ tcp = true, timeout = \"2s\" }}"
        )
    };
    // A process outside the service's tree, like the proxy of a container engine.
    let sandbox = Sandbox::new().manifest(&manifest("owner = \"any\""));
    let mut up = sandbox.spawn(&["up"]);
    wait_until("its port is chosen", || {
        sandbox.project().join(".ports.json").exists()
    });
    let mut proxy = take_port(&sandbox, 0..1);
    proxy.wait_for_output("grabbed");
    sandbox.wait_until_ready();
    up.signal(Signal::TERM);
    up.wait();
    // Without `owner = "any"` the port is lost, and the range has no other.
    let sandbox = Sandbox::new().manifest(&manifest(""));
    let mut up = sandbox.spawn(&["up", "--json"]);
    wait_until("its port is chosen", || {
        sandbox.project().join(".ports.json").exists()
    });
    let mut other = take_port(&sandbox, 0..1);
    other.wait_for_output("grabbed");
    assert_eq!(up.wait(), 5);
    let printed = up.output();
    assert!(printed.contains("\"service_failed\""), "{printed}");
    assert!(printed.contains(&sandbox.expand("port %0")), "{printed}");
    assert!(
        printed.contains(&format!("(pid {}", other.pid())),
        "{printed}"
    );
}

#[test]
fn a_port_in_use_before_the_start_is_not_used() {
    let sandbox = one("");
    let _other = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    sandbox.run(&["up", "--detach"]).success();
    let json = sandbox.ports_json();
    assert_eq!(json["a_port"], sandbox.port(1));
}
