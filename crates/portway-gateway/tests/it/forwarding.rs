//! Tests how requests and responses are forwarded.

use std::io::{Read, Write};

use crate::support::{TestGateway, TestService, body_of, jobi, route};

#[test]
fn routes_each_name_to_its_service() {
    let (frontend, backend) = (TestService::echo(), TestService::echo());
    let gateway =
        TestGateway::with_services(&[("frontend", frontend.port), ("backend", backend.port)]);
    for (host, service) in [
        ("jobi.localhost", &frontend),
        ("frontend.jobi.localhost", &frontend),
        ("backend.jobi.localhost", &backend),
        ("BACKEND.Jobi.Localhost:7678", &backend),
    ] {
        let before = service.requests().len();
        let response = gateway.get(host, "/x?y=1", "");
        assert!(response.starts_with("HTTP/1.1 200"), "{host}: {response}");
        assert!(
            body_of(&response).starts_with("GET /x?y=1 HTTP/1.1"),
            "{response}"
        );
        assert_eq!(service.requests().len(), before + 1, "{host}");
    }
}

#[test]
fn reveals_nothing_under_an_unknown_name() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    for host in [
        "other.localhost",
        "x.frontend.jobi.localhost",
        "jobi.localhost.evil.example",
        "evil.example",
    ] {
        let response = gateway.get(host, "/", "Accept: text/html\r\n");
        assert!(response.starts_with("HTTP/1.1 404"), "{host}: {response}");
        assert!(!response.contains("jobi"), "{host}: {response}");
        assert!(
            !response.contains(&service.port.to_string()),
            "{host}: {response}"
        );
    }
    assert!(service.requests().is_empty());
}

#[test]
fn finds_a_new_instance_immediately() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    assert!(
        gateway
            .get("late.localhost", "/", "")
            .starts_with("HTTP/1.1 404")
    );
    gateway.change_unnoticed(|all| {
        let mut late = jobi(&[("web", service.port)]);
        (late.id, late.name) = ("late".into(), "late".into());
        all.push(late);
    });
    let response = gateway.get("late.localhost", "/", "");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[test]
fn applies_path_routes_to_the_names_of_the_main_service() {
    let (frontend, backend) = (TestService::echo(), TestService::echo());
    let mut instance = jobi(&[("frontend", frontend.port), ("backend", backend.port)]);
    instance.routes = vec![
        route("/api", "backend", false),
        route("/v2", "backend", true),
    ];
    let gateway = TestGateway::with_instance(instance);
    for (host, path, service, request_line) in [
        ("jobi.localhost", "/", &frontend, "GET / "),
        (
            "jobi.localhost",
            "/api/items?x=1",
            &backend,
            "GET /api/items?x=1 ",
        ),
        ("frontend.jobi.localhost", "/api", &backend, "GET /api "),
        ("jobi.localhost", "/v2/items", &backend, "GET /items "),
        ("jobi.localhost", "/apiary", &frontend, "GET /apiary "),
        // Routes do not apply to the names of other services.
        (
            "backend.jobi.localhost",
            "/v2/items",
            &backend,
            "GET /v2/items ",
        ),
    ] {
        let response = gateway.get(host, path, "");
        assert!(
            body_of(&response).starts_with(request_line),
            "{host}{path}: {response}"
        );
        let requests = service.requests();
        let last = requests.last().unwrap();
        assert!(last.starts_with(request_line), "{host}{path}");
    }
}

#[test]
fn replaces_forwarding_headers() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let response = gateway.get(
        "jobi.localhost:7678",
        "/",
        "X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Host: evil.example\r\nForwarded: for=8.8.8.8\r\nX-Real-IP: 8.8.8.8\r\nCookie: a=1\r\n",
    );
    let request = body_of(&response).to_ascii_lowercase();
    for line in [
        "host: jobi.localhost:7678\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "x-forwarded-host: jobi.localhost:7678\r\n",
        "x-forwarded-proto: http\r\n",
        &format!("x-forwarded-port: {}\r\n", gateway.address.port()),
        "forwarded: for=127.0.0.1;host=\"jobi.localhost:7678\";proto=http\r\n",
        "cookie: a=1\r\n",
    ] {
        assert!(request.contains(line), "{line} {request}");
    }
    for forged in ["8.8.8.8", "evil.example", "connection: close"] {
        assert!(!request.contains(forged), "{forged} {request}");
    }
}

#[test]
fn stops_a_request_loop() {
    let gateway = TestGateway::with_services(&[("frontend", 1)]);
    // The gateway is its own service.
    let port = gateway.address.port();
    gateway.change(|all| all[0].services[0].ports[0].port = port);
    let response = gateway.get("jobi.localhost", "/", "");
    assert!(response.starts_with("HTTP/1.1 508"), "{response}");
}

#[test]
fn reuses_connections_and_closes_idle_ones() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let mut client = gateway.connect();
    for _ in 0..50 {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: jobi.localhost\r\n\r\n")
            .unwrap();
        let mut response = String::new();
        while !response.contains("\r\n\r\nGET / HTTP/1.1") || !response.ends_with("\r\n\r\n") {
            let mut chunk = [0; 4096];
            let read = client.read(&mut chunk).unwrap();
            assert_ne!(read, 0, "{response}");
            response.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    }
    assert_eq!(service.requests().len(), 50);
    assert_eq!(service.connections(), 1);
    service.wait_until_closed();
}

#[test]
fn reaches_a_service_on_either_loopback_address() {
    let service = TestService::responding("[::1]:0", |_| "HTTP/1.1 204 No Content\r\n\r\n".into());
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    for _ in 0..3 {
        let response = gateway.get("jobi.localhost", "/", "");
        assert!(response.starts_with("HTTP/1.1 204"), "{response}");
    }
}

#[test]
fn forwards_the_response_unchanged() {
    let service = TestService::responding("127.0.0.1:0", |_| {
        "HTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Odd: \u{e9}\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n".into()
    });
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let response = gateway.get("jobi.localhost", "/", "TE: trailers\r\n");
    let response = response.to_ascii_lowercase();
    assert!(response.starts_with("http/1.1 201"), "{response}");
    for part in [
        "set-cookie: a=1",
        "set-cookie: b=2",
        "3\r\nabc\r\n",
        "x-sum: 6",
    ] {
        assert!(response.contains(part), "{part}: {response}");
    }
    assert!(!response.contains("x-hop"), "{response}");
}

#[test]
fn streams_large_bodies() {
    const SIZE: usize = 32 << 20;
    let service = TestService::responding("127.0.0.1:0", |request| {
        let length = request.len() - request.find("\r\n\r\n").unwrap() - 4;
        let body = "d".repeat(SIZE);
        format!("HTTP/1.1 200 OK\r\nX-Got: {length}\r\nContent-Length: {SIZE}\r\n\r\n{body}")
    });
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n"
    );
    let mut request = head.into_bytes();
    request.resize(request.len() + SIZE, b'u');
    let response = gateway.send(&request);
    assert!(
        response.contains(&format!("x-got: {SIZE}")),
        "{}",
        &response[..200]
    );
    assert_eq!(body_of(&response).len(), SIZE);
}

#[test]
fn forwards_server_sent_events_immediately() {
    // The service sends its second event after the client has received the first.
    let (received, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let service = TestService::handling("127.0.0.1:0", move |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n";
        stream.write_all(head.as_bytes()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        stream.write_all(b"data: two\n\n").unwrap();
        false
    });
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let mut client = gateway.connect();
    client
        .write_all(b"GET /events HTTP/1.1\r\nHost: jobi.localhost\r\n\r\n")
        .unwrap();
    let mut response = String::new();
    let mut read_until = |text: &str| {
        while !response.contains(text) {
            let mut chunk = [0; 1024];
            let read = client.read(&mut chunk).unwrap();
            assert_ne!(read, 0, "{response}");
            response.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    };
    read_until("data: one");
    received.send(()).unwrap();
    read_until("data: two");
}

#[test]
fn sends_100_continue_on_request() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let mut client = gateway.connect();
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    let mut first = [0; 25];
    client.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(response.ends_with("hello"), "{response}");
}

/// Returns what a client receives if the service responds with `response`.
fn forwarded(response: &'static str) -> String {
    let service = TestService::handling("127.0.0.1:0", move |_, stream| {
        stream.write_all(response.as_bytes()).unwrap();
        false
    });
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    gateway.get("jobi.localhost", "/", "")
}

#[test]
fn forwards_the_body_that_the_service_sent_or_says_why_not() {
    for (head, body, expected) in [
        (
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "5\r\nhello\r\n0\r\n\r\n",
            Some("hello"),
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 99",
            "5\r\nhello\r\n0\r\n\r\n",
            Some("hello"),
        ),
        ("Content-Length: 0005", "hello", Some("hello")),
        (
            "Content-Length: 5\r\nContent-Length: 5",
            "hello",
            Some("hello"),
        ),
        ("Content-Length: 5, 5", "hello", Some("hello")),
        ("X: 1", "hello", Some("hello")),
        ("Content-Length: 5\r\nContent-Length: 6", "hello!", None),
        ("Content-Length: +5", "hello", None),
        ("Content-Length: 5 5", "hello", None),
        (
            "Transfer-Encoding: gzip, chunked",
            "5\r\nhello\r\n0\r\n\r\n",
            None,
        ),
        ("Transfer-Encoding: gzip", "hello", None),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "5\r\nhello\r\n0\r\n\r\n",
            None,
        ),
    ] {
        let response = forwarded(String::leak(format!(
            "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"
        )));
        let status = if expected.is_some() {
            "HTTP/1.1 200"
        } else {
            "HTTP/1.1 502"
        };
        assert!(response.starts_with(status), "{head}: {response}");
        let (head_of_response, body) = response.split_once("\r\n\r\n").unwrap();
        let lengths = head_of_response.matches("content-length").count();
        assert!(lengths <= 1, "{head}: {response}");
        if head_of_response.contains("transfer-encoding") {
            assert_eq!(lengths, 0, "{head}: {response}");
            assert!(
                expected.is_none() || body == "5\r\nhello\r\n0\r\n\r\n",
                "{head}: {response}"
            );
        } else if let Some(expected) = expected {
            assert_eq!(body, expected, "{head}");
        }
    }
}

#[test]
fn removes_the_headers_that_any_connection_header_lists() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let headers = "Connection: X-One\r\nConnection: X-Two, X-Three\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nX-Four: 4\r\n";
    let response = gateway.get("jobi.localhost", "/", headers);
    let request = body_of(&response).to_ascii_lowercase();
    for name in ["x-one", "x-two", "x-three"] {
        assert!(!request.contains(name), "{name}: {request}");
    }
    assert!(request.contains("x-four: 4"), "{request}");
    let response = forwarded(
        "HTTP/1.1 200 OK\r\nConnection: X-One\r\nConnection: X-Two\r\nX-One: 1\r\nX-Two: 2\r\nX-Four: 4\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(response.contains("x-four: 4"), "{response}");
    for name in ["x-one", "x-two"] {
        assert!(!response.contains(name), "{name}: {response}");
    }
}
