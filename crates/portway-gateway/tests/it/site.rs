//! The gateway's own name: the dashboard, the API, and who may ask them for what.

use std::io::{Read, Write};

use portway_api::{GatewayEvent, InstanceState, InstanceStatus, LogRecord, ServiceState};
use serde_json::Value;

use crate::town::{Service, Town};

const OWN: &str = "portway.localhost";

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn town() -> Town {
    Town::of(&[("frontend", 1), ("backend", 2)])
}

/// The token in the dashboard's page.
fn token(town: &Town) -> String {
    let page = town.get(OWN, "/", "");
    let (_, rest) = page
        .split_once("name=\"portway-token\" content=\"")
        .unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Asks for `path` by POST with these header lines.
fn post(town: &Town, path: &str, headers: &str, json: &str) -> String {
    let head = format!("POST {path} HTTP/1.1\r\nHost: {OWN}\r\nConnection: close\r\n");
    let length = format!("Content-Length: {}\r\n", json.len());
    town.raw(format!("{head}{length}{headers}\r\n{json}").as_bytes())
}

#[test]
fn the_page_and_its_files_are_there_and_nothing_else_may_be_loaded() {
    let town = town();
    for (path, kind) in [
        ("/", "text/html"),
        ("/app.js", "text/javascript"),
        ("/style.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = town.get(OWN, path, "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        let head = answer.split("\r\n\r\n").next().unwrap();
        for line in [
            &format!("content-type: {kind}"),
            "content-security-policy: default-src 'none'; script-src 'self'",
            "frame-ancestors 'none'",
            "x-frame-options: DENY",
            "x-content-type-options: nosniff",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(head.contains(line), "{path} {line}: {head}");
        }
        assert!(!head.contains("access-control"), "{head}");
    }
    assert!(token(&town).len() >= 40);
    assert!(!town.get(OWN, "/", "").contains("{token}"));
    assert!(town.get(OWN, "/nothing", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn every_gateway_has_a_token_of_its_own() {
    assert_ne!(token(&town()), token(&town()));
}

#[test]
fn whoever_asks_localhost_is_sent_to_the_dashboard() {
    let town = town();
    let page = "Accept: text/html\r\n";
    let answer = town.get("localhost", "/", page);
    let port = town.address.port();
    assert!(answer.starts_with("HTTP/1.1 307"), "{answer}");
    let target = format!("location: http://{OWN}:{port}/\r\n");
    assert!(answer.contains(&target), "{answer}");
    for host in ["127.0.0.1", "[::1]"] {
        let answer = town.get(host, "/", "Accept: */*\r\n");
        assert!(answer.contains(&target), "{host}: {answer}");
    }
    for path in ["/x", "/v1/instances"] {
        let answer = town.get("localhost", path, page);
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[test]
fn programs_of_this_machine_read_without_a_token() {
    let town = town();
    let answer = town.get(OWN, "/v1/instances", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let all: Vec<InstanceStatus> = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(all[0].name, "jobi");
    let url = format!("https://backend.jobi.localhost:{}", town.tls_address.port());
    assert_eq!(all[0].services[1].named_url.as_deref(), Some(&*url));
}

#[test]
fn pages_of_other_origins_are_not_answered() {
    let town = town();
    let port = town.address.port();
    let host = format!("{OWN}:{port}");
    let own = format!("Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n");
    // The latter are of an extension that may read this name: Chromium's and Firefox's.
    let extensions = [
        "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: cors\r\n",
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n",
    ];
    for good in [&own[..], "", extensions[0], extensions[1]] {
        let answer = town.get(&host, "/v1/instances", good);
        assert!(answer.starts_with("HTTP/1.1 200"), "{good}: {answer}");
    }
    for foreign in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: chrome-extension://bmkihcbnimijkioofdjnopgfakdpkfnm\r\nSec-Fetch-Site: none\r\n",
        "Origin: moz-extension://ac3082ea-909a-4e95-8a73-9817962fd3e3\r\nSec-Fetch-Site: same-origin\r\n",
        &format!("Origin: https://{host}\r\n"),
        &format!("Origin: http://{OWN}\r\n"),
        &format!("Origin: http://localhost:{port}\r\n"),
        &format!("Origin: http://jobi.localhost:{port}\r\n"),
        &format!("Origin: http://web.portway.localhost:{port}\r\n"),
        &format!("Origin: http://{host}.evil.example\r\n"),
        &format!("Origin: http://{host}\r\nOrigin: http://evil.example\r\n"),
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: \r\n",
    ] {
        for path in [
            "/v1/instances",
            "/v1/events",
            "/v1/instances/jobi/logs",
            "/v1/ports",
        ] {
            let answer = town.get(&host, path, foreign);
            assert!(
                answer.starts_with("HTTP/1.1 403"),
                "{path} {foreign}: {answer}"
            );
            assert!(!answer.contains("jobi"), "{foreign}: {answer}");
        }
    }
    // A preflight learns nothing either.
    let preflight = format!(
        "OPTIONS /v1/ports/1/free HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    );
    let answer = town.raw(preflight.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(!answer.contains("access-control-allow"), "{answer}");
}

#[test]
fn a_request_that_changes_something_needs_the_token_the_origin_and_json() {
    let town = town();
    let token = token(&town);
    let path = "/v1/ports/9000/free";
    let json = "Content-Type: application/json\r\n";
    let right = format!("Portway-Token: {token}\r\n");
    for (headers, status) in [
        (json.to_owned(), 403),
        (format!("{json}Portway-Token: \r\n"), 403),
        (format!("{json}Portway-Token: {}\r\n", &token[1..]), 403),
        (format!("{json}Portway-Token: {token}x\r\n"), 403),
        (format!("{json}{right}Origin: http://evil.example\r\n"), 403),
        (format!("{json}{right}Sec-Fetch-Site: cross-site\r\n"), 403),
        (
            format!("{json}{right}Origin: chrome-extension://bmkihcbnimijkioofdjnopgfakdpkfnm\r\n"),
            403,
        ),
        (right.clone(), 415),
        (format!("{right}Content-Type: text/plain\r\n"), 415),
        (
            format!("{right}Content-Type: application/x-www-form-urlencoded\r\n"),
            415,
        ),
    ] {
        for path in [
            path,
            "/v1/instances/jobi/start",
            "/v1/instances/jobi/stop",
            "/v1/instances/jobi/restart",
        ] {
            let answer = post(&town, path, &headers, "{}");
            let expected = format!("HTTP/1.1 {status}");
            assert!(answer.starts_with(&expected), "{headers}: {answer}");
        }
    }
    assert_eq!(town.acts(), [""; 0]);
    let own = format!("{json}{right}Origin: http://{OWN}\r\nSec-Fetch-Site: same-origin\r\n");
    for headers in [&own, &format!("{json}{right}")] {
        let answer = post(&town, path, headers, r#"{"dry_run": true}"#);
        assert!(answer.contains("noted"), "{answer}");
    }
    assert_eq!(town.acts(), ["free 9000 true", "free 9000 true"]);
    // Nor is anything changed by looking.
    let answer = town.get(OWN, path, &own);
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[test]
fn what_cannot_be_is_an_error_in_json() {
    let town = town();
    let fields = format!(
        "Content-Type: application/json\r\nPortway-Token: {}\r\n",
        token(&town)
    );
    let mut answers = Vec::new();
    for (path, status) in [
        ("/v1/nothing", 404),
        ("/v1/instances/unknown/logs", 404),
        ("/v1/instances/jobi/logs?grep=(", 400),
        ("/v1/instances/jobi/logs?tail=many", 400),
        ("/v1/instances/jobi/logs?other=1", 400),
        ("/v1/ports/0", 400),
        ("/v1/ports/65536", 400),
        ("/v1/ports/x", 400),
    ] {
        answers.push((path, status, town.get(OWN, path, "")));
    }
    for (path, text, status) in [
        ("/v1/instances/unknown/stop", "{}", 404),
        // It does not run.
        ("/v1/instances/jobi/stop", "{}", 409),
        ("/v1/instances/jobi/restart", "{}", 409),
        ("/v1/instances/jobi/stop", "{", 400),
        ("/v1/instances/jobi/stop", r#"{"service": "x"}"#, 422),
        ("/v1/ports/9000/free", r#"{"dryrun": true}"#, 422),
    ] {
        answers.push((path, status, post(&town, path, &fields, text)));
    }
    for (path, status, answer) in answers {
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{path}: {answer}");
        let error: Value = serde_json::from_str(body(&answer)).unwrap();
        assert!(error["error"]["message"].is_string(), "{path}: {answer}");
    }
    assert_eq!(town.acts(), [""; 0]);
}

#[test]
fn an_instance_that_rests_is_brought_up() {
    let town = town();
    let fields = format!(
        "Content-Type: application/json\r\nPortway-Token: {}\r\n",
        token(&town)
    );
    post(
        &town,
        "/v1/instances/jobi/start",
        &fields,
        r#"{"services": ["backend"]}"#,
    );
    assert_eq!(town.acts(), [r#"up /jobi ["backend"]"#]);
}

/// Reads the events of a stream, one by one.
struct Stream {
    stream: std::net::TcpStream,
    read: String,
}

impl Stream {
    fn open(town: &Town, path: &str) -> Self {
        let mut stream = town.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {OWN}\r\n\r\n").unwrap();
        Self {
            stream,
            read: String::new(),
        }
    }

    /// The data of the next event; `None` at the end.
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n")
                && let Some((_, data)) = event.split_once("data: ")
            {
                let data = data.lines().next().unwrap();
                let value = serde_json::from_str(data).unwrap();
                self.read = rest.to_owned();
                return Some(value);
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).unwrap();
            if read == 0 {
                return None;
            }
            self.read.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    }
}

#[test]
fn changes_come_as_events() {
    let town = town();
    let mut events = Stream::open(&town, "/v1/events");
    let mut next = || loop {
        match events.next().expect("an event") {
            GatewayEvent::Instances { instances } => break instances,
            GatewayEvent::Usage { services } => assert!(services.is_empty()),
        }
    };
    assert_eq!(next()[0].services[1].state, ServiceState::Ready);
    town.set("backend", ServiceState::Failed);
    assert_eq!(next()[0].services[1].state, ServiceState::Failed);
    town.change(|all| all[0].state = InstanceState::Degraded);
    assert_eq!(next()[0].state, InstanceState::Degraded);
    town.change(Vec::clear);
    assert!(next().is_empty());
}

fn line(number: u64, service: &str, text: &str) -> String {
    format!(
        "{{\"time\":{number},\"number\":{number},\"service\":\"{service}\",\"stream\":\"out\",\"text\":\"{text}\"}}\n"
    )
}

#[test]
fn logs_are_read_and_searched() {
    let town = town();
    town.log(
        "frontend",
        &(line(1, "frontend", "one") + &line(4, "frontend", "Two")),
    );
    town.log(
        "backend",
        &(line(2, "backend", "two") + &line(3, "backend", "three")),
    );
    let numbers = |query: &str| {
        let answer = town.get(OWN, &format!("/v1/instances/jobi/logs{query}"), "");
        let records: Vec<LogRecord> = serde_json::from_str(body(&answer)).unwrap();
        records
            .iter()
            .map(|record| record.number)
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(""), [1, 2, 3, 4]);
    assert_eq!(numbers("?service=backend"), [2, 3]);
    assert_eq!(numbers("?since=3"), [3, 4]);
    assert_eq!(numbers("?grep=(?i)TWO"), [2, 4]);
    assert_eq!(numbers("?tail=1"), [4]);
    assert_eq!(numbers("?tail=0"), [0; 0]);
    let mut follow = Stream::open(
        &town,
        "/v1/instances/jobi/logs/follow?service=frontend&tail=1",
    );
    assert_eq!(follow.next::<LogRecord>().unwrap().number, 4);
}

#[test]
fn nobody_who_looks_holds_up_the_end() {
    let town = town();
    let mut all: Vec<Stream> = ["/v1/events", "/v1/instances/jobi/logs/follow"]
        .map(|path| Stream::open(&town, path))
        .into();
    assert!(all[0].next::<GatewayEvent>().is_some());
    let began = std::time::Instant::now();
    drop(town);
    assert!(
        began.elapsed() < std::time::Duration::from_secs(2),
        "it waited for its streams"
    );
    while all[0].next::<GatewayEvent>().is_some() {}
}

/// Only root can be somebody else for a moment; for others there is nothing to see here.
#[cfg(target_os = "linux")]
#[test]
fn another_user_of_this_machine_has_neither_page_nor_api() {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    if portway_supervisor::process::current_user() != 0 {
        return;
    }
    let town = town();
    for path in ["/", "/app.js", "/v1/instances", "/v1/instances/jobi/logs"] {
        let url = format!("http://{OWN}{path}");
        let asked = |user: u32| {
            let connect = format!("::127.0.0.1:{}", town.address.port());
            let output = std::process::Command::new("curl")
                .args(["-sS", "--connect-to", &connect, "-w", "%{http_code}", &url])
                .current_dir("/")
                .uid(user)
                .output()
                .unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let answer = asked(NOBODY);
        assert!(answer.ends_with("403"), "{path}: {answer}");
        assert!(!answer.contains("portway-token"), "{path}: {answer}");
        assert!(asked(0).ends_with("200"), "{path}");
    }
}

#[test]
fn a_service_cannot_have_the_gateways_name() {
    let service = Service::echo();
    let mut instance = crate::town::jobi(&[("web", service.port)]);
    instance.name = "portway".into();
    let town = Town::with(instance);
    assert!(town.get(OWN, "/", "").contains("portway-token"));
    assert!(service.seen().is_empty());
}
