//! Tests of the server. Each starts its own, so that they can run in parallel.

mod support;

use std::collections::HashSet;
use std::net::TcpListener;

use support::TestServer;

#[test]
fn counts_visits() {
    let server = TestServer::start();
    assert_eq!(server.get(), "visit 1\n");
    assert_eq!(server.get(), "visit 2\n");
}

#[test]
fn servers_do_not_share_visits() {
    let servers: Vec<TestServer> = (0..4).map(|_| TestServer::start()).collect();
    let ports: HashSet<u16> = servers.iter().map(TestServer::port).collect();
    assert_eq!(ports.len(), servers.len());
    for server in &servers {
        assert_eq!(server.get(), "visit 1\n");
    }
}

#[test]
fn a_restart_keeps_the_port_and_forgets_the_visits() {
    let mut server = TestServer::start();
    assert_eq!(server.get(), "visit 1\n");
    server.stop();
    // The port is still held: no other process can bind it.
    assert!(TcpListener::bind(("0.0.0.0", server.port())).is_err());
    server.start_again();
    assert_eq!(server.get(), "visit 1\n");
}
