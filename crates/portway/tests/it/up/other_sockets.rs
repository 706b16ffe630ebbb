//! Services that use UDP ports or Unix sockets.

use std::net::UdpSocket;
use std::time::Duration;

use super::service;
use crate::sandbox::{Sandbox, wait_until};

/// Sends a packet and returns the answer.
fn ask(port: u16) -> Option<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    socket.send_to(b"?", ("127.0.0.1", port)).unwrap();
    let mut bytes = [0; 64];
    let count = socket.recv(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

#[test]
#[cfg(target_os = "linux")]
fn a_udp_port_is_held_and_checked() {
    let sandbox = Sandbox::new().manifest(
        "[services.dns]\ncommand = \"%service serve {port} --udp --delay 100\"\n\
         port = \"%0-%9\"\nprotocol = \"udp\"",
    );
    // A TCP server does not matter, another UDP server does.
    let _tcp = std::net::TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    let other = UdpSocket::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    let port = service(&status, "dns")["ports"][0].clone();
    assert_eq!(port["port"], sandbox.port(1));
    assert_eq!(port["url"], sandbox.expand("udp://localhost:%1"));
    let pid = ask(sandbox.port(1)).unwrap();
    // The other family stays held, and all of the port while the service is stopped.
    assert!(UdpSocket::bind(("::1", sandbox.port(1))).is_err());
    sandbox.run(&["down", "dns"]).success();
    assert!(UdpSocket::bind(("127.0.0.1", sandbox.port(1))).is_err());
    sandbox.run(&["up", "--detach"]).success();
    assert_ne!(ask(sandbox.port(1)).unwrap(), pid);
    drop(other);
}

#[test]
#[cfg(target_os = "linux")]
fn a_udp_port_that_another_process_takes_is_replaced() {
    let sandbox = Sandbox::new().manifest(
        "[services.dns]\n\
         command = \"touch started; while ! test -f go; do sleep 0.01; done; \
         exec %service serve {port} --udp\"\n\
         port = { range = \"%0-%9\", protocol = \"udp\" }",
    );
    let mut up = sandbox.spawn(&["up"]);
    wait_until("it is started", || {
        sandbox.project().join("started").exists()
    });
    let other = UdpSocket::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    sandbox.write("go", "");
    sandbox.wait_until_ready();
    let status = sandbox.status();
    let port = &service(&status, "dns")["ports"][0];
    assert_eq!(port["port"], sandbox.port(1));
    assert!(ask(sandbox.port(1)).is_some());
    drop(other);
    up.signal(rustix::process::Signal::INT);
    up.wait();
}

#[test]
fn a_unix_socket_is_enough() {
    // Without the probe, a service of this name gets a port.
    let sandbox = Sandbox::new().manifest(
        "[services.backend]\ncommand = \"%service serve --unix app.sock --delay 100\"\n\
         ready = { unix = \"app.sock\" }",
    );
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    let backend = service(&status, "backend");
    assert_eq!(backend["state"], "ready");
    assert_eq!(backend["ports"], serde_json::json!([]));
    assert!(sandbox.project().join("app.sock").exists());
}
