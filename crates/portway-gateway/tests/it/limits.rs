//! Tests the limits that the gateway enforces.

use std::io::{Read, Write};

use crate::support::{TestGateway, TestService, jobi};

#[test]
fn limits_the_size_of_a_head() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let allowed = "a".repeat(40 << 10);
    let response = gateway.get("jobi.localhost", "/", &format!("Cookie: {allowed}\r\n"));
    assert!(response.starts_with("HTTP/1.1 200"), "{}", &response[..100]);
    let too_long = "a".repeat(80 << 10);
    let response = gateway.get("jobi.localhost", "/", &format!("Cookie: {too_long}\r\n"));
    assert!(
        response.starts_with("HTTP/1.1 431") || response.is_empty(),
        "{response}"
    );
    let fields: String = (0..300).map(|n| format!("X-{n}: 1\r\n")).collect();
    let response = gateway.get("jobi.localhost", "/", &fields);
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
    assert_eq!(service.requests().len(), 1);
}

#[test]
fn idle_clients_do_not_block_others() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let idle: Vec<_> = (0..500).map(|_| gateway.connect()).collect();
    let response = gateway.get("jobi.localhost", "/", "");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    drop(idle);
}

/// Starts a gateway whose frontend accepts bodies of at most 1000 bytes.
pub(crate) fn with_limit(service: &TestService) -> TestGateway {
    let mut instance = jobi(&[("frontend", service.port), ("backend", service.port)]);
    instance.services[0].max_body = Some(1000);
    TestGateway::with_instance(instance)
}

/// Sends [`post`] and returns the response.
fn send_post(gateway: &TestGateway, host: &str, body: &str, chunked: bool) -> String {
    gateway.send(post(host, body, chunked).as_bytes())
}

/// Returns a request with `body`, in one piece or in chunks of 100 bytes.
fn post(host: &str, body: &str, chunked: bool) -> String {
    let (field, body) = if chunked {
        let chunks = body.as_bytes().chunks(100).map(|chunk| {
            format!(
                "{:x}\r\n{}\r\n",
                chunk.len(),
                String::from_utf8_lossy(chunk)
            )
        });
        let chunks = chunks.collect::<String>() + "0\r\n\r\n";
        ("Transfer-Encoding: chunked".to_owned(), chunks)
    } else {
        (format!("Content-Length: {}", body.len()), body.to_owned())
    };
    let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{field}\r\n\r\n");
    head + &body
}

#[test]
fn limits_the_size_of_a_body() {
    let service = TestService::echo();
    let gateway = with_limit(&service);
    for chunked in [false, true] {
        for (host, size, status) in [
            ("jobi.localhost", 1000, "200"),
            ("jobi.localhost", 1001, "413"),
            ("backend.jobi.localhost", 1001, "200"),
        ] {
            let response = send_post(&gateway, host, &"a".repeat(size), chunked);
            let start = format!("HTTP/1.1 {status} ");
            assert!(
                response.starts_with(&start),
                "{host} {size} {chunked}: {response}"
            );
            let is_explained =
                response.contains("`frontend` accepts request bodies of at most 1000");
            assert_eq!(is_explained, status == "413", "{response}");
        }
    }
    // No oversized request was completed, and none is still in progress.
    assert_eq!(service.requests().len(), 4);
    service.wait_until_closed();
}

#[test]
fn rejects_an_oversized_body_before_it_is_sent() {
    let service = TestService::echo();
    let gateway = with_limit(&service);
    let response = gateway.send(
        b"POST / HTTP/1.1\r\nHost: jobi.localhost\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\n\r\n",
    );
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    assert_eq!(service.connections(), 0);
}

#[test]
fn drains_the_body_so_that_the_client_gets_its_response() {
    let service = TestService::echo();
    let gateway = with_limit(&service);
    let body = "a".repeat(20 << 20);
    for (host, chunked, status) in [
        ("jobi.localhost", false, "413"),
        ("jobi.localhost", true, "413"),
        ("unknown.localhost", false, "404"),
    ] {
        let mut stream = gateway.connect();
        let sent = stream.write_all(post(host, &body, chunked).as_bytes());
        sent.unwrap_or_else(|error| panic!("{host} {chunked}: {error}"));
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let start = format!("HTTP/1.1 {status} ");
        assert!(response.starts_with(&start), "{host} {chunked}: {response}");
    }
}

// Windows discards received data when the other side resets the connection.
#[test]
#[cfg(unix)]
fn forwards_a_response_sent_before_the_body_was_read() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway =
        TestGateway::with_services(&[("frontend", listener.local_addr().unwrap().port())]);
    let body = "a".repeat(1 << 20);
    // The thread ends with the test process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0; 1000]).unwrap();
            let response = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";
            stream.write_all(response).unwrap();
        }
    });
    for round in 0..20 {
        let response = send_post(&gateway, "jobi.localhost", &body, round % 2 == 0);
        assert!(response.starts_with("HTTP/1.1 401 "), "{round}: {response}");
        assert!(response.ends_with("\r\n\r\nno"), "{round}: {response}");
    }
}
