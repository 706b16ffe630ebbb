//! Tests that pages with hard-coded local URLs call the services of their own instance.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use portway_api::{InstanceStatus, UrlRewriting, UsualPort};

use crate::support::{TestGateway, TestService, body_of, jobi};

const SCRIPT: &str = "fetch('http://localhost:8000/api')";
const REWRITTEN: &str = "fetch('http://api.jobi.localhost:7678/api')";

/// An instance with a frontend `web` and a backend `api`, whose usual ports are 5173 and 8000.
fn shop(web: u16, api: u16) -> InstanceStatus {
    let mut shop = jobi(&[("web", web), ("api", api)]);
    shop.services[0].rewriting = UrlRewriting::Pages;
    shop.services[1].rewriting = UrlRewriting::Headers;
    let usual = [(5173, "web", web), (8000, "api", api)];
    let usual = usual.map(|(port, service, actual)| UsualPort {
        port,
        service: service.into(),
        actual,
    });
    shop.usual_ports = usual.into();
    shop
}

fn response(head: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{head}\r\n{body}")
}

/// A gateway in front of a frontend that sends `head` and `body`, and the frontend.
fn serving(head: &'static str, body: &'static str) -> (TestGateway, TestService) {
    let web = TestService::responding("127.0.0.1:0", move |_| response(head, body));
    (TestGateway::with_instance(shop(web.port, 1)), web)
}

/// The chunks of a body, joined.
fn unchunked(response: &str) -> String {
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    if !head.contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let mut rest = body;
    let mut joined = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return joined;
        }
        joined.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
}

#[test]
fn rewrites_pages_scripts_styles_and_json_under_a_name() {
    for content_type in [
        "text/html; charset=utf-8",
        "text/javascript",
        "text/css",
        "application/json",
    ] {
        let web = TestService::responding("127.0.0.1:0", move |_| {
            response(&format!("Content-Type: {content_type}\r\n"), SCRIPT)
        });
        let gateway = TestGateway::with_instance(shop(web.port, 1));
        for host in ["jobi.localhost:7678", "web.jobi.localhost:7678"] {
            let response = gateway.get(host, "/", "");
            assert_eq!(unchunked(&response), REWRITTEN, "{content_type}");
            assert!(!response.contains("content-length"), "{response}");
        }
    }
}

#[test]
fn leaves_everything_else_as_it_is() {
    for (head, path) in [
        ("Content-Type: text/plain\r\n", "/"),
        ("Content-Type: text/event-stream\r\n", "/"),
        ("Content-Type: application/octet-stream\r\n", "/"),
        ("Content-Type: application/json\r\n", "/app.js.map"),
        ("Content-Type: text/html\r\nContent-Encoding: zstd\r\n", "/"),
        ("", "/"),
    ] {
        let (gateway, _web) = serving(head, SCRIPT);
        let response = gateway.get("jobi.localhost:7678", path, "");
        assert_eq!(body_of(&response), SCRIPT, "{head}");
        assert!(response.contains("content-length"), "{response}");
    }
}

#[test]
fn changes_nothing_while_every_service_has_its_usual_port() {
    let page = "Content-Type: text/html\r\nETag: \"a\"\r\n";
    let (gateway, web) = serving(page, SCRIPT);
    gateway.change(|all| {
        for usual in &mut all[0].usual_ports {
            usual.port = usual.actual;
        }
    });
    let response = gateway.get("jobi.localhost", "/", "Accept-Encoding: gzip\r\n");
    assert_eq!(body_of(&response), SCRIPT);
    assert!(response.contains("etag: \"a\"\r\n"), "{response}");
    assert!(web.requests()[0].contains("gzip"));
}

#[test]
fn rewrites_nothing_of_a_service_that_excludes_it() {
    let (gateway, _web) = serving("Content-Type: text/html\r\n", SCRIPT);
    gateway.change(|all| all[0].services[0].rewriting = UrlRewriting::None);
    let response = gateway.get("jobi.localhost:7678", "/", "");
    assert_eq!(body_of(&response), SCRIPT);
}

#[test]
fn rewrites_nothing_on_a_fixed_port() {
    let (gateway, _web) = serving("Content-Type: text/html\r\n", SCRIPT);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", gateway.fixed_port)).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert_eq!(body_of(&response), SCRIPT);
}

#[test]
fn rewrites_a_compressed_body() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(SCRIPT.as_bytes()).unwrap();
    let body = gzip.finish().unwrap();
    let web = TestService::handling("127.0.0.1:0", move |_, stream| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).is_ok()
    });
    let gateway = TestGateway::with_instance(shop(web.port, 1));
    let response = gateway.get("jobi.localhost:7678", "/", "Accept-Encoding: gzip\r\n");
    assert_eq!(unchunked(&response), REWRITTEN);
    assert!(!response.contains("content-encoding"), "{response}");
    assert!(web.requests()[0].contains("accept-encoding: identity"));
}

#[test]
fn a_damaged_body_ends_with_an_error() {
    let head = "Content-Type: text/html\r\nContent-Encoding: gzip\r\n";
    let (gateway, web) = serving(head, SCRIPT);
    let response = gateway.get("jobi.localhost:7678", "/", "");
    assert!(!web.requests().is_empty());
    // The client sees that the response is incomplete.
    assert!(!response.ends_with("0\r\n\r\n"), "{response}");
}

#[test]
fn passes_a_page_on_while_it_is_written() {
    let (more, wait_for_more) = std::sync::mpsc::channel::<()>();
    let wait_for_more = std::sync::Mutex::new(wait_for_more);
    let web = TestService::handling("127.0.0.1:0", move |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"<p>first</p> http://local").unwrap();
        wait_for_more.lock().unwrap().recv().unwrap();
        stream.write_all(b"host:8000/x").unwrap();
        false
    });
    let gateway = TestGateway::with_instance(shop(web.port, 1));
    let mut stream = gateway.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut response = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&response).contains("<p>first</p>") {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the response ended");
        response.extend_from_slice(&buffer[..read]);
    }
    more.send(()).unwrap();
    stream.read_to_end(&mut response).unwrap();
    let body = unchunked(&String::from_utf8(response).unwrap());
    assert_eq!(body, "<p>first</p> http://api.jobi.localhost/x");
}

#[test]
fn uses_https_and_wss_on_a_page_with_tls() {
    let body = "http://localhost:8000 ws://localhost:5173";
    let (gateway, _web) = serving("Content-Type: text/html\r\n", body);
    let expected = "https://api.jobi.localhost wss://jobi.localhost";
    let response = crate::tls::get(&gateway, "jobi.localhost", "/");
    assert_eq!(unchunked(&response), expected);
}

#[test]
fn rewrites_redirects_and_cors_headers_of_every_service() {
    let api = TestService::responding("127.0.0.1:0", |_| {
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://localhost:5173/done\r\n\
         Access-Control-Allow-Origin: http://localhost:5173\r\nETag: \"a\"\r\n\r\n"
            .into()
    });
    let gateway = TestGateway::with_instance(shop(1, api.port));
    let response = gateway.get("api.jobi.localhost:7678", "/", "");
    for line in [
        "location: http://jobi.localhost:7678/done\r\n",
        "access-control-allow-origin: http://jobi.localhost:7678\r\n",
        "etag: \"a\"\r\n",
    ] {
        assert!(response.contains(line), "{line}: {response}");
    }
}

#[test]
fn services_see_the_usual_origin_of_a_page() {
    let api = TestService::responding("127.0.0.1:0", |request| {
        let origin = request
            .lines()
            .find_map(|line| line.strip_prefix("origin: "));
        response(
            &format!("Access-Control-Allow-Origin: {}\r\n", origin.unwrap()),
            "",
        )
    });
    let gateway = TestGateway::with_instance(shop(1, api.port));
    for (host, origin, expected) in [
        (
            "api.jobi.localhost:7678",
            "http://jobi.localhost:7678",
            "http://localhost:5173",
        ),
        (
            "api.jobi.localhost:7678",
            "http://web.jobi.localhost:7678",
            "http://localhost:5173",
        ),
        (
            "api.jobi.localhost",
            "http://jobi.localhost",
            "http://localhost:5173",
        ),
        // Its own page, pages that the gateway did not serve, and another scheme.
        (
            "api.jobi.localhost:7678",
            "http://api.jobi.localhost:7678",
            "http://api.jobi.localhost:7678",
        ),
        (
            "api.jobi.localhost:7678",
            "http://jobi.localhost:4000",
            "http://jobi.localhost:4000",
        ),
        (
            "api.jobi.localhost:7678",
            "https://jobi.localhost:7678",
            "https://jobi.localhost:7678",
        ),
        (
            "api.jobi.localhost:7678",
            "http://evil.example:7678",
            "http://evil.example:7678",
        ),
    ] {
        let response = gateway.get(host, "/", &format!("Origin: {origin}\r\n"));
        let allowed = format!("access-control-allow-origin: {origin}\r\n");
        assert!(response.contains(&allowed), "{origin}: {response}");
        let seen = api.requests().pop().unwrap();
        assert!(seen.contains(&format!("origin: {expected}\r\n")), "{seen}");
    }
}

#[test]
fn a_service_that_allows_one_origin_allows_the_page() {
    // The page's port and its usual port: moved, or not.
    for (web, usual) in [(5174, 5173), (5173, 5173)] {
        let api = TestService::responding("127.0.0.1:0", move |_| {
            let head = format!("Access-Control-Allow-Origin: http://localhost:{web}\r\n");
            response(&head, "")
        });
        let gateway = TestGateway::with_instance(shop(web, api.port));
        gateway.change(|all| {
            all[0].usual_ports[0].port = usual;
            all[0].usual_ports[1].port = api.port;
        });
        for (origin, is_allowed) in [
            ("http://jobi.localhost", true),
            ("http://evil.example", false),
        ] {
            let request = format!("Origin: {origin}\r\n");
            let response = gateway.get("api.jobi.localhost", "/", &request);
            let allowed = format!("access-control-allow-origin: {origin}\r\n");
            assert_eq!(response.contains(&allowed), is_allowed, "{response}");
        }
    }
}

#[test]
fn a_browser_can_validate_its_copy_of_a_rewritten_page() {
    let web = TestService::responding("127.0.0.1:0", |request| {
        if request.contains("if-none-match: \"v1\"") {
            return "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n".into();
        }
        response("Content-Type: text/html\r\nETag: \"v1\"\r\n", SCRIPT)
    });
    let gateway = TestGateway::with_instance(shop(web.port, 1));
    let get = |tag: &str| {
        let headers = format!("If-None-Match: {tag}\r\n");
        gateway.get("jobi.localhost:7678", "/", &headers)
    };
    // A copy from the time when nothing was rewritten.
    let first = get("\"v1\"");
    assert_eq!(unchunked(&first), REWRITTEN);
    let tag = first.lines().find_map(|line| line.strip_prefix("etag: "));
    let tag = tag.unwrap().to_owned();
    let second = get(&tag);
    assert!(second.starts_with("HTTP/1.1 304"), "{second}");
    assert!(second.contains(&format!("etag: {tag}\r\n")), "{second}");
    // Another service moves, so the copy is outdated.
    gateway.change(|all| all[0].usual_ports[0].port = 3000);
    assert_eq!(unchunked(&get(&tag)), REWRITTEN);
}
