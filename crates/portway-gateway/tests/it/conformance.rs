//! Runs suites that others wrote for HTTP/2 against the gateway.

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::{TestGateway, TestService};

/// The variable with the path of h2spec. `cargo xtask conformance` sets it.
const H2SPEC: &str = "PORTWAY_H2SPEC";

/// What h2spec reports although it is right: the gateway also serves HTTP/1.1 on its ports, so it
/// responds to an invalid start of HTTP/2 in HTTP/1.1 before it closes the connection.
const EXPECTED_FAILURES: [&str; 1] = ["2: Sends invalid connection preface"];

/// Runs all tests of h2spec against a port, and reports those that fail.
#[track_caller]
#[allow(clippy::print_stdout, reason = "the summary is a result")]
fn h2spec(port: u16) {
    let tool = std::env::var_os(H2SPEC).expect("PORTWAY_H2SPEC is not set");
    let output = Command::new(tool)
        .args(["--strict", "--timeout", "5", "--host", "127.0.0.1"])
        .args(["--port", &port.to_string()])
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    let failures = report.lines().filter_map(|line| line.split_once("\u{d7} "));
    let failures: BTreeSet<&str> = failures.map(|(_, failure)| failure.trim()).collect();
    let summary = report.lines().rfind(|line| line.contains(" tests, "));
    let summary = summary.unwrap_or_else(|| panic!("{report}"));
    assert_eq!(failures, BTreeSet::from(EXPECTED_FAILURES), "{report}");
    println!("h2spec: {summary}");
}

#[test]
#[ignore = "needs h2spec, which `cargo xtask conformance` installs"]
fn h2spec_accepts_forwarded_requests() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    // On its fixed port, the gateway forwards requests for any host.
    h2spec(gateway.fixed_port);
    assert!(service.requests().len() > 10);
}
