//! Runs suites that others wrote for HTTP/2 and WebSocket against the gateway.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

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

/// The variable with a Python that can import the Autobahn test suite.
const WSTEST_PYTHON: &str = "PORTWAY_WSTEST_PYTHON";

/// A server that sends each message back, to clients that name the port in its argument. Prints its own
/// port.
const ECHO: &str = "
import sys
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor
class Echo(WebSocketServerProtocol):
    def onMessage(self, payload, is_binary):
        self.sendMessage(payload, is_binary)
factory = WebSocketServerFactory('ws://127.0.0.1')
factory.protocol = Echo
port = reactor.listenTCP(0, factory, interface='127.0.0.1').getHost().port
factory.externalPort = int(sys.argv[1])
sys.stdout.write('%d\\n' % port)
sys.stdout.flush()
reactor.run()
";

/// Runs the suite's client. Its argument: the file with the settings.
const CLIENT: &str = "
import sys
from autobahntestsuite.wstest import run
sys.argv = ['wstest', '-m', 'fuzzingclient', '-s', sys.argv[1]]
run()
";

fn python(script: &str, argument: &str) -> Command {
    let tool = std::env::var_os(WSTEST_PYTHON).expect("PORTWAY_WSTEST_PYTHON is not set");
    let mut command = Command::new(tool);
    command.args(["-W", "ignore", "-c", script, argument]);
    command
}

/// Ends a process with its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the echo server for clients that connect to `external`. Returns its port.
fn echo(external: u16) -> (Killed, u16) {
    let mut command = python(ECHO, &external.to_string());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    (Killed(child), line.trim().parse().unwrap())
}

#[test]
#[ignore = "needs the Autobahn test suite, which `cargo xtask conformance` installs"]
#[allow(clippy::print_stdout, reason = "the summary is a result")]
fn autobahn_accepts_what_passes_through_the_gateway() {
    let placeholder = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", placeholder.port)]);
    // The server has to know the port of the gateway.
    let (_server, port) = echo(gateway.fixed_port);
    gateway.change(|instances| instances[0].services[0].ports[0].port = port);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let settings = serde_json::json!({
        "outdir": out,
        "servers": [
            { "agent": "gateway", "url": format!("ws://127.0.0.1:{}", gateway.fixed_port) },
        ],
        "cases": ["*"],
        // Speed, and compression of a thousand messages a case.
        "exclude-cases": ["9.*", "12.*", "13.*"],
        "exclude-agent-cases": {},
    });
    let file = dir.path().join("settings.json");
    fs::write(&file, settings.to_string()).unwrap();
    let output = python(CLIENT, file.to_str().unwrap()).output().unwrap();
    let report = fs::read_to_string(out.join("index.json"));
    let report = report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let report: Value = serde_json::from_str(&report).unwrap();
    let cases = report["gateway"].as_object().unwrap();
    // Whether a case passes strictly depends on the moment at which a segment arrives.
    let passes = |result: &Value| {
        let passes = |key: &str| {
            let result = result[key].as_str();
            result.is_some_and(|one| ["OK", "NON-STRICT", "INFORMATIONAL"].contains(&one))
        };
        passes("behavior") && passes("behaviorClose")
    };
    let failed: Vec<_> = cases.iter().filter(|(_, result)| !passes(result)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(cases.len() > 200, "{cases:#?}");
    println!("Autobahn: {} cases", cases.len());
}
