//! Tests the event streams and the logs of the API.

use std::io::{Read, Write};

use portway_api::{GatewayEvent, InstanceState, LogRecord, ServiceState};

use crate::site::{GATEWAY_HOST, start_gateway};
use crate::support::{TestGateway, body_of};

/// Reads server-sent events.
struct EventReader {
    stream: std::net::TcpStream,
    buffer: String,
}

impl EventReader {
    fn open(gateway: &TestGateway, path: &str) -> Self {
        let mut stream = gateway.connect();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {GATEWAY_HOST}\r\n\r\n"
        )
        .unwrap();
        Self {
            stream,
            buffer: String::new(),
        }
    }

    /// Returns the data of the next event, or `None` at the end of the stream.
    fn next<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\n\n")
                && let Some((_, data)) = event.split_once("data: ")
            {
                let data = data.lines().next().unwrap();
                let value = serde_json::from_str(data).unwrap();
                self.buffer = rest.to_owned();
                return Some(value);
            }
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk).unwrap();
            if read == 0 {
                return None;
            }
            self.buffer
                .push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    }
}

#[test]
fn streams_changes_as_events() {
    let gateway = start_gateway();
    let mut events = EventReader::open(&gateway, "/v1/events");
    let mut next = || loop {
        match events.next().expect("an event") {
            GatewayEvent::Instances { instances } => break instances,
            GatewayEvent::Usage { services } => assert!(services.is_empty()),
        }
    };
    assert_eq!(next()[0].services[1].state, ServiceState::Ready);
    gateway.set_state("backend", ServiceState::Failed);
    assert_eq!(next()[0].services[1].state, ServiceState::Failed);
    gateway.change(|all| all[0].state = InstanceState::Degraded);
    assert_eq!(next()[0].state, InstanceState::Degraded);
    gateway.change(Vec::clear);
    assert!(next().is_empty());
}

fn line(number: u64, service: &str, text: &str) -> String {
    format!(
        "{{\"time\":{number},\"number\":{number},\"service\":\"{service}\",\"stream\":\"out\",\"text\":\"{text}\"}}\n"
    )
}

#[test]
fn returns_and_filters_logs() {
    let gateway = start_gateway();
    gateway.write_log(
        "frontend",
        &(line(1, "frontend", "one") + &line(4, "frontend", "Two")),
    );
    gateway.write_log(
        "backend",
        &(line(2, "backend", "two") + &line(3, "backend", "three")),
    );
    let numbers = |query: &str| {
        let response = gateway.get(GATEWAY_HOST, &format!("/v1/instances/jobi/logs{query}"), "");
        let records: Vec<LogRecord> = serde_json::from_str(body_of(&response)).unwrap();
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
    let mut follow = EventReader::open(
        &gateway,
        "/v1/instances/jobi/logs/follow?service=frontend&tail=1",
    );
    assert_eq!(follow.next::<LogRecord>().unwrap().number, 4);
}

#[test]
fn event_streams_do_not_delay_the_shutdown() {
    let gateway = start_gateway();
    let mut all: Vec<EventReader> = ["/v1/events", "/v1/instances/jobi/logs/follow"]
        .map(|path| EventReader::open(&gateway, path))
        .into();
    assert!(all[0].next::<GatewayEvent>().is_some());
    let start = std::time::Instant::now();
    drop(gateway);
    assert!(
        start.elapsed() < std::time::Duration::from_secs(2),
        "the gateway waited for its streams"
    );
    while all[0].next::<GatewayEvent>().is_some() {}
}
