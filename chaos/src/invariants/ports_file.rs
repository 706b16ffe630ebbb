//! No torn or wrong `.ports.json` is ever read.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::plan::SERVICES;

/// Judges what was read at some instant. Every writer of a run, a person too, replaces the file
/// whole, so that it is always one JSON object; what Portway has written has all its keys, in its
/// ports, each with its URL.
pub(crate) fn judge(bytes: &[u8], ports: &RangeInclusive<u16>) -> Option<String> {
    let wrong = |why: &str| Some(format!("{why}: {}", String::from_utf8_lossy(bytes)));
    let Ok(content) = serde_json::from_slice::<Map<String, Value>>(bytes) else {
        return wrong("is torn");
    };
    for service in SERVICES {
        let port = content
            .get(&format!("{service}_port"))
            .and_then(Value::as_u64);
        let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
            return wrong("lacks a port");
        };
        if !ports.contains(&port) {
            return wrong("has a port that nobody could have been given");
        }
        let url = content
            .get(&format!("{service}_url"))
            .and_then(Value::as_str);
        if url != Some(&format!("http://localhost:{port}")) {
            return wrong("has a URL that is not of its port");
        }
    }
    let port = |service| content.get(&format!("{service}_port"));
    if port(SERVICES[0]) == port(SERVICES[1]) {
        return wrong("gives one port to two services");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_and_wrong_ones_are_found() {
        let good = r#"{"api_port": 9000, "web_port": 9001, "api_url": "http://localhost:9000", "web_url": "http://localhost:9001"}"#;
        let is_wrong = |text: &str| judge(text.as_bytes(), &(9000..=9079)).is_some();
        assert!(!is_wrong(good));
        for torn in ["", "{", &good[..40], "[]"] {
            assert!(is_wrong(torn), "{torn}");
        }
        for (from, to) in [
            ("\"web_port\": 9001, ", ""),
            ("9001", "9100"),
            ("9001", "9000"),
            ("localhost:9001", "localhost:9002"),
        ] {
            assert!(is_wrong(&good.replace(from, to)), "{from} {to}");
        }
    }
}
