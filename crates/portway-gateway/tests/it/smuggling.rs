//! Tests that ambiguous requests are rejected or forwarded as exactly one request.

use crate::support::{TestGateway, TestService};

/// The expected result of a request.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The gateway rejects it, and the service receives no request.
    Rejected,
    /// The service receives one request.
    Forwarded,
}
use Outcome::*;

/// Description, request and expected outcome. `{H}` stands for valid `Host` and `Connection` lines.
const TABLE: &[(&str, &str, Outcome)] = &[
    ("plain", "GET / HTTP/1.1\r\n{H}\r\n", Forwarded),
    (
        "a length",
        "POST / HTTP/1.1\r\n{H}Content-Length: 2\r\n\r\nhi",
        Forwarded,
    ),
    (
        "two equal lengths",
        "POST / HTTP/1.1\r\n{H}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        Forwarded,
    ),
    (
        "two lengths",
        "POST / HTTP/1.1\r\n{H}Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        Rejected,
    ),
    (
        "a list of lengths",
        "POST / HTTP/1.1\r\n{H}Content-Length: 2, 3\r\n\r\nhi!",
        Rejected,
    ),
    (
        "a signed length",
        "POST / HTTP/1.1\r\n{H}Content-Length: +2\r\n\r\nhi",
        Rejected,
    ),
    (
        "a negative length",
        "POST / HTTP/1.1\r\n{H}Content-Length: -1\r\n\r\n",
        Rejected,
    ),
    (
        "a length that overflows",
        "POST / HTTP/1.1\r\n{H}Content-Length: 18446744073709551617\r\n\r\nh",
        Rejected,
    ),
    (
        "length and chunks",
        "POST / HTTP/1.1\r\n{H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n{H}\r\n",
        Rejected,
    ),
    (
        "chunks and length",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "chunks",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        Forwarded,
    ),
    (
        "chunks twice",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "chunks in two fields",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "an unknown coding",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a coding after chunked",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "chunks in HTTP/1.0",
        "POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a space before the colon",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a folded field",
        "POST / HTTP/1.1\r\n{H}X: a\r\n b\r\n\r\n",
        Rejected,
    ),
    (
        "a folded coding",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a space before the first field",
        "GET / HTTP/1.1\r\n X: a\r\n{H}\r\n",
        Rejected,
    ),
    (
        "bare line feeds",
        "GET / HTTP/1.1\nHost: jobi.localhost\n\n",
        Rejected,
    ),
    (
        "one bare line feed",
        "GET / HTTP/1.1\r\nX: a\n{H}\r\n",
        Rejected,
    ),
    (
        "a bare line feed at the end",
        "GET / HTTP/1.1\r\n{H}\n",
        Rejected,
    ),
    (
        "a bare carriage return",
        "GET / HTTP/1.1\r\nX: a\rY: b\r\n{H}\r\n",
        Rejected,
    ),
    ("a NUL", "GET / HTTP/1.1\r\nX: a\0b\r\n{H}\r\n", Rejected),
    (
        "a field without a name",
        "GET / HTTP/1.1\r\n: a\r\n{H}\r\n",
        Rejected,
    ),
    (
        "a field without a colon",
        "GET / HTTP/1.1\r\nX\r\n{H}\r\n",
        Rejected,
    ),
    (
        "a length with a hundred zeros, then a body with line feeds",
        "POST / HTTP/1.1\r\n{H}Content-Length: 0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000003\r\n\r\na\nb",
        Forwarded,
    ),
    (
        "a host with a port that is not a number",
        "GET / HTTP/1.1\r\nHost: jobi.localhost:abc\r\nConnection: close\r\n\r\n",
        Rejected,
    ),
    (
        "a host with a port that is too large",
        "GET / HTTP/1.1\r\nHost: jobi.localhost:65536\r\nConnection: close\r\n\r\n",
        Rejected,
    ),
    (
        "a target with a port that is not a number",
        "GET http://jobi.localhost:abc/ HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\n\r\n",
        Rejected,
    ),
    (
        "no host",
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        Rejected,
    ),
    (
        "two hosts",
        "GET / HTTP/1.1\r\n{H}Host: other.localhost\r\n\r\n",
        Rejected,
    ),
    (
        "another host in the target",
        "GET http://other.localhost/ HTTP/1.1\r\n{H}\r\n",
        Rejected,
    ),
    (
        "a space in the target",
        "GET /a b HTTP/1.1\r\n{H}\r\n",
        Rejected,
    ),
    ("an unknown version", "GET / HTTP/1.2\r\n{H}\r\n", Rejected),
    ("HTTP/0.9", "GET /\r\n\r\n", Rejected),
    (
        "CONNECT",
        "CONNECT jobi.localhost:80 HTTP/1.1\r\n{H}\r\n",
        Rejected,
    ),
    (
        "a chunk without a size",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n\r\nhi\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a chunk that is longer than its size",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a chunk of a huge size",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a chunk size with a sign",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a chunk size with prefix 0x",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a bare line feed after a chunk's size",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a bare line feed after a chunk",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\n0\r\n\r\n",
        Rejected,
    ),
    (
        "a line feed in a chunk's extension",
        "POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\nhi\r\n0\r\n\r\n",
        Rejected,
    ),
];

#[test]
fn forwards_no_ambiguous_request() {
    let mut failures = Vec::new();
    for (what, bytes, expected) in TABLE {
        let service = TestService::echo();
        let gateway = TestGateway::with_services(&[("frontend", service.port)]);
        let bytes = bytes.replace("{H}", "Host: jobi.localhost\r\nConnection: close\r\n");
        let response = gateway.send(bytes.as_bytes());
        let status = response.split(' ').nth(1).unwrap_or_default().to_owned();
        // The service may receive the start of an invalid body, but never a complete request.
        let outcome = match status.as_str() {
            "200" => Forwarded,
            "400" | "405" | "502" | "505" => Rejected,
            _ => panic!("{what}: {response}"),
        };
        let requests = service.requests();
        let smuggled = requests.len() > 1 || requests.iter().any(|one| one.contains("smuggled"));
        let received = *expected == Rejected && !requests.is_empty();
        if outcome != *expected || smuggled || received {
            failures.push(format!(
                "{what}: {status:?} {outcome:?}, the service received {requests:?}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn keeps_a_body_behind_a_padded_size() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let (zeros, spaces) = ("0".repeat(100), " ".repeat(100));
    let body = "a\nb\r\n\r\nc\n";
    let size = body.len();
    for framed in [
        format!("Content-Length: {zeros}{size}\r\n\r\n{body}"),
        format!("Content-Length:{spaces}{size}{spaces}\r\n\r\n{body}"),
        format!("Transfer-Encoding: chunked\r\n\r\n{zeros}{size:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("Transfer-Encoding: chunked\r\n\r\n{size:x}{spaces}\r\n{body}\r\n0\r\n\r\n"),
    ] {
        let head = "POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\n";
        let response = gateway.send(format!("{head}{framed}").as_bytes());
        assert!(response.starts_with("HTTP/1.1 200"), "{framed}: {response}");
        let requests = service.requests();
        assert!(
            requests.last().unwrap().contains(body),
            "{framed}: {requests:?}"
        );
    }
}

#[test]
fn a_request_that_asks_for_another_protocol_does_not_end_the_checks() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let ambiguous = "GET /smuggled HTTP/1.1\nHost: jobi.localhost\n\n";
    for upgrade in [
        "Upgrade: websocket\r\nConnection: upgrade\r\n",
        "Upgrade: h2c\r\nConnection: upgrade\r\n",
        "Upgrade: x\r\n",
    ] {
        let first = format!("GET /first HTTP/1.1\r\nHost: jobi.localhost\r\n{upgrade}\r\n");
        let response = gateway.send(format!("{first}{ambiguous}").as_bytes());
        assert!(
            response.starts_with("HTTP/1.1 200"),
            "{upgrade}: {response}"
        );
        assert!(response.contains("HTTP/1.1 400"), "{upgrade}: {response}");
    }
    let requests = service.requests();
    assert!(
        requests.iter().all(|one| one.starts_with("GET /first ")),
        "{requests:?}"
    );
    assert_eq!(requests.len(), 3);
}

#[test]
fn forwards_no_forged_trailers() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let response = gateway.send(
        b"POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\n\
        Trailer: X-Forwarded-For, Host, X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
        1\r\na\r\n0\r\nX-Forwarded-For: 8.8.8.8\r\nHost: evil.example\r\nX-Sum: 6\r\n\r\n",
    );
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let requests = service.requests().concat().to_ascii_lowercase();
    assert!(
        requests.ends_with("\r\n0\r\nx-sum: 6\r\n\r\n"),
        "{requests}"
    );
    for forged in ["8.8.8.8", "evil.example"] {
        assert!(!requests.contains(forged), "{requests}");
    }
}
