//! A gateway with more clients than it has file descriptors for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::sandbox::{RunningCommand, Sandbox, TIMEOUT, two_services, wait_until};

/// How many files the gateway may open.
const DESCRIPTORS: usize = 200;

/// Starts a gateway with few file descriptors on the sandbox's last port. Returns its pid, too.
fn limited_gateway(sandbox: &Sandbox) -> (RunningCommand, u64) {
    let port = sandbox.port(39).to_string();
    let mut command = sandbox.command("sh");
    command
        .args(["-c", "ulimit -n \"$1\"; shift; exec \"$@\"", "sh"])
        .arg(DESCRIPTORS.to_string())
        .arg(env!("CARGO_BIN_EXE_portway"))
        .args(["gateway", "--json", "--port", &port]);
    let mut gateway = RunningCommand::start(command);
    gateway.wait_for_output("\"port\"");
    let status = sandbox.run(&["gateway", "status", "--json"]).success();
    let pid = status.json()["pid"].as_u64().unwrap();
    (gateway, pid)
}

fn connect(sandbox: &Sandbox) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", sandbox.port(39))).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

fn send(stream: &mut TcpStream, host: &str, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    // A connection that is rejected may already be closed.
    let _ = stream.write_all(request.as_bytes());
}

/// Requests the page of the frontend and returns the response.
fn request(sandbox: &Sandbox) -> String {
    let mut stream = connect(sandbox);
    send(&mut stream, "frontend.jobi.localhost", "/");
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}

/// Opens connections that each receive events. Returns those that the gateway accepted.
fn follow_events(sandbox: &Sandbox, count: usize) -> Vec<TcpStream> {
    let mut streams: Vec<_> = (0..count).map(|_| connect(sandbox)).collect();
    for stream in &mut streams {
        send(stream, "portway.localhost", "/v1/events");
    }
    streams.retain_mut(|stream| {
        let mut start = [0; 12];
        stream.read_exact(&mut start).is_ok() && &start == b"HTTP/1.1 200"
    });
    streams
}

#[track_caller]
fn assert_overloaded(response: &str) {
    assert!(response.starts_with("HTTP/1.1 503"), "{response}");
    assert!(response.contains("retry-after: 1"), "{response}");
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains("overloaded"), "{message}");
}

#[test]
fn closes_the_connections_first_that_are_idle_longest() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let (_gateway, _) = limited_gateway(&sandbox);
    let mut silent: Vec<_> = (0..2 * DESCRIPTORS).map(|_| connect(&sandbox)).collect();
    for _ in 0..5 {
        let response = request(&sandbox);
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    }
    // The oldest connection is closed and the last one is still open.
    assert_eq!(silent[0].read(&mut [0]).unwrap_or(0), 0);
    let last = silent.last_mut().unwrap();
    send(last, "frontend.jobi.localhost", "/");
    let mut start = [0; 12];
    last.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
}

#[test]
fn says_that_it_is_overloaded_if_no_connection_is_idle() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let (_gateway, _) = limited_gateway(&sandbox);
    let mut busy = follow_events(&sandbox, DESCRIPTORS);
    // One client cannot use all connections that the gateway can serve.
    assert!(busy.len() < DESCRIPTORS / 3, "{}", busy.len());
    assert_overloaded(&request(&sandbox));
    busy.pop();
    wait_until("a request is served again", || {
        request(&sandbox).starts_with("HTTP/1.1 200")
    });
}

#[test]
fn serves_or_explains_without_free_descriptors() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let (_gateway, pid) = limited_gateway(&sandbox);
    let busy = follow_events(&sandbox, 8);
    assert_eq!(busy.len(), 8);
    // No connection is idle.
    take_all_descriptors(pid);
    assert_overloaded(&request(&sandbox));
    set_limit(pid, DESCRIPTORS);
    // Idle connections make room for a client and for a connection to the service.
    let mut idle = [connect(&sandbox), connect(&sandbox)];
    assert!(request(&sandbox).starts_with("HTTP/1.1 200"));
    take_all_descriptors(pid);
    let response = request(&sandbox);
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert_eq!(idle[0].read(&mut [0]).unwrap_or(0), 0);
    drop(busy);
}

/// Returns the numbers of a process's open files.
fn used_descriptors(pid: u64) -> Vec<usize> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let names = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let mut used: Vec<usize> = names.collect();
    used.sort_unstable();
    used
}

/// Waits until connections to services are closed, and then limits a process to the descriptors that
/// it uses.
fn take_all_descriptors(pid: u64) {
    let mut used = Vec::new();
    wait_until("the number of descriptors does not change", || {
        std::thread::sleep(Duration::from_secs(1));
        let before = std::mem::replace(&mut used, used_descriptors(pid));
        before == used
    });
    let lowest_free = (0..).find(|number| !used.contains(number)).unwrap();
    set_limit(pid, lowest_free);
}

/// Changes how many files a process may open.
fn set_limit(pid: u64, limit: usize) {
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string()])
        .arg(format!("--nofile={limit}:{DESCRIPTORS}"))
        .status()
        .unwrap();
    assert!(status.success());
}
