//! Tests what works in a process without free file descriptors. The test changes a limit of its
//! process, so it is the only one here.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used)]

use std::net::{TcpListener, TcpStream};

use portway_ports::ConnectionUsers;
use rustix::process::{Resource, getrlimit, setrlimit};

#[test]
fn finds_users_without_free_descriptors() {
    let users = ConnectionUsers::open().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (from, to) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(0);
    setrlimit(Resource::Nofile, limit).unwrap();
    assert!(TcpListener::bind("127.0.0.1:0").is_err());
    let own = rustix::process::geteuid().as_raw();
    assert_eq!(users.find(from, to).unwrap(), Some(own));
}
