//! What a client may not do to the gateway.

use std::io::{Read, Write};

use crate::town::{Service, Town, jobi};

#[test]
fn a_head_has_a_size() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let most = "a".repeat(40 << 10);
    let answer = town.get("jobi.localhost", "/", &format!("Cookie: {most}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{}", &answer[..100]);
    let more = "a".repeat(80 << 10);
    let answer = town.get("jobi.localhost", "/", &format!("Cookie: {more}\r\n"));
    assert!(
        answer.starts_with("HTTP/1.1 431") || answer.is_empty(),
        "{answer}"
    );
    let fields: String = (0..300).map(|n| format!("X-{n}: 1\r\n")).collect();
    let answer = town.get("jobi.localhost", "/", &fields);
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(service.seen().len(), 1);
}

#[test]
fn clients_that_send_nothing_hold_up_nobody() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let idle: Vec<_> = (0..500).map(|_| town.connect()).collect();
    let answer = town.get("jobi.localhost", "/", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(idle);
}

/// A town whose frontend takes bodies of at most 1000 bytes, and whose backend takes any.
pub(crate) fn with_limit(service: &Service) -> Town {
    let mut instance = jobi(&[("frontend", service.port), ("backend", service.port)]);
    instance.services[0].max_body = Some(1000);
    Town::with(instance)
}

/// What the gateway answers to [`post`].
fn answer_to(town: &Town, host: &str, body: &str, chunked: bool) -> String {
    town.raw(post(host, body, chunked).as_bytes())
}

/// A request that sends `body` to `host`: in one piece, or in chunks of 100 bytes.
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
fn a_body_has_the_size_that_its_service_takes() {
    let service = Service::echo();
    let town = with_limit(&service);
    for chunked in [false, true] {
        for (host, size, status) in [
            ("jobi.localhost", 1000, "200"),
            ("jobi.localhost", 1001, "413"),
            ("backend.jobi.localhost", 1001, "200"),
        ] {
            let answer = answer_to(&town, host, &"a".repeat(size), chunked);
            let start = format!("HTTP/1.1 {status} ");
            assert!(
                answer.starts_with(&start),
                "{host} {size} {chunked}: {answer}"
            );
            let says = answer.contains("`frontend` takes a body of at most 1000 bytes");
            assert_eq!(says, status == "413", "{answer}");
        }
    }
    // Nothing that was too large came as a whole request, nor is one of them under way.
    assert_eq!(service.seen().len(), 4);
    service.until_all_closed();
}

#[test]
fn a_body_that_is_too_large_is_not_asked_for() {
    let service = Service::echo();
    let town = with_limit(&service);
    let answer = town.raw(
        b"POST / HTTP/1.1\r\nHost: jobi.localhost\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(service.connections(), 0);
}

#[test]
fn a_client_that_sends_before_it_reads_gets_its_answer() {
    let service = Service::echo();
    let town = with_limit(&service);
    let body = "a".repeat(20 << 20);
    for (host, chunked, status) in [
        ("jobi.localhost", false, "413"),
        ("jobi.localhost", true, "413"),
        ("nobody.localhost", false, "404"),
    ] {
        let mut stream = town.connect();
        let sent = stream.write_all(post(host, &body, chunked).as_bytes());
        sent.unwrap_or_else(|error| panic!("{host} {chunked}: cut off: {error}"));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{host} {chunked}: {answer}");
    }
}

// Windows forgets what was not read when the other side closes with a reset.
#[test]
#[cfg(unix)]
fn the_answer_of_a_service_that_closes_before_it_has_read_all_arrives() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let town = Town::of(&[("frontend", listener.local_addr().unwrap().port())]);
    let body = "a".repeat(1 << 20);
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.read_exact(&mut [0; 1000]).unwrap();
            let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";
            stream.write_all(answer).unwrap();
        }
    });
    for round in 0..20 {
        let answer = answer_to(&town, "jobi.localhost", &body, round % 2 == 0);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{round}: {answer}");
        assert!(answer.ends_with("\r\n\r\nno"), "{round}: {answer}");
    }
}
