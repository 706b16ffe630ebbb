//! `.ports.json` is complete and correct whenever it is read.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::plan::SERVICES;

/// Check the content of the file. Every writer replaces it atomically, so it is always one JSON
/// object with all keys, with ports of the run, and with the URL of each port.
pub(crate) fn evaluate(bytes: &[u8], ports: &RangeInclusive<u16>) -> Option<String> {
    let violation = |message: &str| Some(format!("{message}: {}", String::from_utf8_lossy(bytes)));
    let Ok(content) = serde_json::from_slice::<Map<String, Value>>(bytes) else {
        return violation("it is not a JSON object");
    };
    for service in SERVICES {
        let port = content
            .get(&format!("{service}_port"))
            .and_then(Value::as_u64);
        let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
            return violation("a port is missing");
        };
        if !ports.contains(&port) {
            return violation("a port is outside the ranges of the run");
        }
        let url = content
            .get(&format!("{service}_url"))
            .and_then(Value::as_str);
        if url != Some(&format!("http://localhost:{port}")) {
            return violation("a URL does not match its port");
        }
    }
    let port = |service| content.get(&format!("{service}_port"));
    if port(SERVICES[0]) == port(SERVICES[1]) {
        return violation("two services have the same port");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_incomplete_and_wrong_files() {
        let valid = r#"{"api_port": 9000, "web_port": 9001, "api_url": "http://localhost:9000", "web_url": "http://localhost:9001"}"#;
        let is_violation = |text: &str| evaluate(text.as_bytes(), &(9000..=9079)).is_some();
        assert!(!is_violation(valid));
        for incomplete in ["", "{", &valid[..40], "[]"] {
            assert!(is_violation(incomplete), "{incomplete}");
        }
        for (from, to) in [
            ("\"web_port\": 9001, ", ""),
            ("9001", "9100"),
            ("9001", "9000"),
            ("localhost:9001", "localhost:9002"),
        ] {
            assert!(is_violation(&valid.replace(from, to)), "{from} {to}");
        }
    }
}
