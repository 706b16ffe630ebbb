//! Parses the ports of a compose service, in the short and the long syntax.

use serde_json::Value;

use crate::yaml::scalar;

/// Maximum number of ports taken from one range.
const MAX_RANGE_SIZE: u16 = 16;

/// A container port and the host port that it is published on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The port in the container.
    pub container: u16,
    /// The port on the host; `None` if the engine chooses it.
    pub host: Option<u16>,
}

/// Parses `ports`; also returns the entries that are not TCP ports.
pub(super) fn published(ports: &Value) -> (Vec<Published>, Vec<String>) {
    let mut all: Vec<Published> = Vec::new();
    let mut others = Vec::new();
    for entry in ports.as_array().into_iter().flatten() {
        let found = match entry {
            Value::Object(_) => long(entry),
            entry => scalar(entry).and_then(|text| short(&text)),
        };
        match found {
            Some(found) => all.extend(found),
            None => others.push(match entry {
                Value::Object(_) => entry.to_string(),
                entry => scalar(entry).unwrap_or_default(),
            }),
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|port| seen.insert(port.container));
    (all, others)
}

/// Parses `expose`; of a range, the first port counts.
pub(super) fn exposed(expose: &Value) -> Vec<Published> {
    let entries = expose.as_array().into_iter().flatten().filter_map(scalar);
    entries
        .filter_map(|entry| short(&entry))
        .flatten()
        .collect()
}

/// Parses `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]`; both ports may be ranges.
fn short(text: &str) -> Option<Vec<Published>> {
    let text = match text.split_once('/') {
        Some((ports, protocol)) => (protocol == "tcp").then_some(ports)?,
        None => text,
    };
    let mut parts = text.rsplitn(3, ':');
    let container = range(parts.next()?)?;
    let host = match parts.next() {
        None | Some("") => None,
        Some(host) => Some(range(host)?),
    };
    Some(pairs(container, host))
}

/// Parses `{ target: 80, published: "8080", protocol: tcp }`.
fn long(entry: &Value) -> Option<Vec<Published>> {
    let text = |key: &str| entry.get(key).and_then(scalar);
    if text("protocol").is_some_and(|protocol| protocol != "tcp") {
        return None;
    }
    let container = range(&text("target")?)?;
    let host = text("published").filter(|text| !text.is_empty());
    let host = match host {
        Some(host) => Some(range(&host)?),
        None => None,
    };
    Some(pairs(container, host))
}

/// Parses `80` or `80-85`; rejects port 0.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first > 0 && first <= last).then_some((first, last))
}

fn pairs((first, last): (u16, u16), host: Option<(u16, u16)>) -> Vec<Published> {
    let last = last.min(first.saturating_add(MAX_RANGE_SIZE - 1));
    (first..=last)
        .map(|container| Published {
            container,
            // A single container port with a range on the host: use the first host port.
            host: host.and_then(|(from, to)| {
                let host = from.checked_add(container - first)?;
                (host <= to).then_some(host)
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ports: serde_json::Value) -> Vec<(u16, Option<u16>)> {
        let (all, _) = published(&ports);
        all.iter().map(|port| (port.container, port.host)).collect()
    }

    #[test]
    fn parses_every_port_syntax() {
        for (entry, expected) in [
            (serde_json::json!(3000), vec![(3000, None)]),
            ("3000".into(), vec![(3000, None)]),
            ("5433:5432".into(), vec![(5432, Some(5433))]),
            ("127.0.0.1:5433:5432".into(), vec![(5432, Some(5433))]),
            ("127.0.0.1::5432".into(), vec![(5432, None)]),
            ("[::1]:5433:5432/tcp".into(), vec![(5432, Some(5433))]),
            (":5432".into(), vec![(5432, None)]),
            (
                "9090-9091:80-81".into(),
                vec![(80, Some(9090)), (81, Some(9091))],
            ),
            ("9090-9099:80".into(), vec![(80, Some(9090))]),
            (
                serde_json::json!({"target": 80, "published": "8080", "protocol": "tcp"}),
                vec![(80, Some(8080))],
            ),
            (serde_json::json!({"target": 80}), vec![(80, None)]),
        ] {
            assert_eq!(read(serde_json::json!([entry])), expected, "{entry}");
        }
    }

    #[test]
    fn reports_ports_that_are_not_tcp() {
        let ports = serde_json::json!(["53:53/udp", "x", "0", "70000:1", "5-3", {"protocol": "udp", "target": 1}]);
        let (all, others) = published(&ports);
        assert!(all.is_empty(), "{all:?}");
        assert_eq!(others.len(), 6);
        assert_eq!(read(serde_json::json!(["1-65535"])).len(), 16);
        assert_eq!(read(serde_json::json!("80")), []);
    }
}
