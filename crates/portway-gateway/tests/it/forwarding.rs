//! Names, paths, heads, bodies and connections.

use std::io::{Read, Write};

use crate::town::{Service, Town, jobi, route};

/// The last line of a head, and whatever follows.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[test]
fn each_name_leads_to_its_service() {
    let (frontend, backend) = (Service::echo(), Service::echo());
    let town = Town::of(&[("frontend", frontend.port), ("backend", backend.port)]);
    for (host, service) in [
        ("jobi.localhost", &frontend),
        ("frontend.jobi.localhost", &frontend),
        ("backend.jobi.localhost", &backend),
        ("BACKEND.Jobi.Localhost:7678", &backend),
    ] {
        let before = service.seen().len();
        let answer = town.get(host, "/x?y=1", "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
        assert!(body(&answer).starts_with("GET /x?y=1 HTTP/1.1"), "{answer}");
        assert_eq!(service.seen().len(), before + 1, "{host}");
    }
}

#[test]
fn a_name_that_leads_nowhere_tells_nothing() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    for host in [
        "other.localhost",
        "x.frontend.jobi.localhost",
        "jobi.localhost.evil.example",
        "evil.example",
    ] {
        let answer = town.get(host, "/", "Accept: text/html\r\n");
        assert!(answer.starts_with("HTTP/1.1 404"), "{host}: {answer}");
        assert!(!answer.contains("jobi"), "{host}: {answer}");
        assert!(
            !answer.contains(&service.port.to_string()),
            "{host}: {answer}"
        );
    }
    assert!(service.seen().is_empty());
}

#[test]
fn an_instance_that_comes_later_is_found_at_once() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    assert!(
        town.get("late.localhost", "/", "")
            .starts_with("HTTP/1.1 404")
    );
    town.quietly(|all| {
        let mut late = jobi(&[("web", service.port)]);
        (late.id, late.name) = ("late".into(), "late".into());
        all.push(late);
    });
    let answer = town.get("late.localhost", "/", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn paths_of_the_main_name_lead_to_other_services() {
    let (frontend, backend) = (Service::echo(), Service::echo());
    let mut instance = jobi(&[("frontend", frontend.port), ("backend", backend.port)]);
    instance.routes = vec![
        route("/api", "backend", false),
        route("/v2", "backend", true),
    ];
    let town = Town::with(instance);
    for (host, path, service, asked) in [
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
        // Not on the name of another service.
        (
            "backend.jobi.localhost",
            "/v2/items",
            &backend,
            "GET /v2/items ",
        ),
    ] {
        let answer = town.get(host, path, "");
        assert!(body(&answer).starts_with(asked), "{host}{path}: {answer}");
        let seen = service.seen();
        assert!(
            seen.last().is_some_and(|one| one.starts_with(asked)),
            "{host}{path}"
        );
    }
}

#[test]
fn the_service_is_told_who_asked_and_the_client_cannot_lie() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let answer = town.get(
        "jobi.localhost:7678",
        "/",
        "X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Host: evil.example\r\nForwarded: for=8.8.8.8\r\nX-Real-IP: 8.8.8.8\r\nCookie: a=1\r\n",
    );
    let asked = body(&answer).to_ascii_lowercase();
    for line in [
        "host: jobi.localhost:7678\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "x-forwarded-host: jobi.localhost:7678\r\n",
        "x-forwarded-proto: http\r\n",
        &format!("x-forwarded-port: {}\r\n", town.address.port()),
        "forwarded: for=127.0.0.1;host=\"jobi.localhost:7678\";proto=http\r\n",
        "cookie: a=1\r\n",
    ] {
        assert!(asked.contains(line), "{line} {asked}");
    }
    for lie in ["8.8.8.8", "evil.example", "connection: close"] {
        assert!(!asked.contains(lie), "{lie} {asked}");
    }
}

#[test]
fn a_request_that_goes_in_circles_ends() {
    let town = Town::of(&[("frontend", 1)]);
    // The service sends everything back to the gateway.
    let gateway = town.address.port();
    town.change(|all| all[0].services[0].ports[0].port = gateway);
    let answer = town.get("jobi.localhost", "/", "");
    assert!(answer.starts_with("HTTP/1.1 508"), "{answer}");
}

#[test]
fn connections_to_services_are_used_again_and_none_is_left() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let mut client = town.connect();
    for _ in 0..50 {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: jobi.localhost\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        while !answer.contains("\r\n\r\nGET / HTTP/1.1") || !answer.ends_with("\r\n\r\n") {
            let mut chunk = [0; 4096];
            let read = client.read(&mut chunk).unwrap();
            assert_ne!(read, 0, "{answer}");
            answer.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    }
    assert_eq!(service.seen().len(), 50);
    assert_eq!(service.connections(), 1);
    // Unused ones are closed by the gateway.
    service.until_all_closed();
}

#[test]
fn a_service_on_either_loopback_address_is_reached() {
    let service = Service::at("[::1]:0", |_| "HTTP/1.1 204 No Content\r\n\r\n".into());
    let town = Town::of(&[("frontend", service.port)]);
    for _ in 0..3 {
        let answer = town.get("jobi.localhost", "/", "");
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
}

#[test]
fn what_is_sent_back_comes_as_the_service_said() {
    let service = Service::at("127.0.0.1:0", |_| {
        "HTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Odd: \u{e9}\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n".into()
    });
    let town = Town::of(&[("frontend", service.port)]);
    let answer = town.get("jobi.localhost", "/", "TE: trailers\r\n");
    let answer = answer.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 201"), "{answer}");
    for part in [
        "set-cookie: a=1",
        "set-cookie: b=2",
        "3\r\nabc\r\n",
        "x-sum: 6",
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert!(!answer.contains("x-hop"), "{answer}");
}

#[test]
fn a_large_upload_and_a_large_download_stream() {
    const SIZE: usize = 32 << 20;
    let service = Service::at("127.0.0.1:0", |asked| {
        let length = asked.len() - asked.find("\r\n\r\n").unwrap() - 4;
        let body = "d".repeat(SIZE);
        format!("HTTP/1.1 200 OK\r\nX-Got: {length}\r\nContent-Length: {SIZE}\r\n\r\n{body}")
    });
    let town = Town::of(&[("frontend", service.port)]);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n"
    );
    let mut request = head.into_bytes();
    request.resize(request.len() + SIZE, b'u');
    let answer = town.raw(&request);
    assert!(
        answer.contains(&format!("x-got: {SIZE}")),
        "{}",
        &answer[..200]
    );
    assert_eq!(body(&answer).len(), SIZE);
}

#[test]
fn events_come_one_by_one() {
    // The service sends its second event only after the client has seen the first.
    let (seen, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let service = Service::by("127.0.0.1:0", move |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n";
        stream.write_all(head.as_bytes()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        stream.write_all(b"data: two\n\n").unwrap();
        false
    });
    let town = Town::of(&[("frontend", service.port)]);
    let mut client = town.connect();
    client
        .write_all(b"GET /events HTTP/1.1\r\nHost: jobi.localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    let mut until = |word: &str| {
        while !answer.contains(word) {
            let mut chunk = [0; 1024];
            let read = client.read(&mut chunk).unwrap();
            assert_ne!(read, 0, "{answer}");
            answer.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    };
    until("data: one");
    seen.send(()).unwrap();
    until("data: two");
}

#[test]
fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let mut client = town.connect();
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    let mut first = [0; 25];
    client.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("hello"), "{answer}");
}
