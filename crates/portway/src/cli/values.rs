//! Parsers of values on the command line.

use std::time::Duration;

/// A service and its required port, `SERVICE=PORT`.
pub(crate) fn forced_port(text: &str) -> Result<(String, u16), String> {
    let (service, port) = text
        .split_once('=')
        .ok_or("write it as SERVICE=PORT, such as backend=9005")?;
    match port.parse() {
        Ok(0) | Err(_) => Err(format!("`{port}` is not a port; ports go from 1 to 65535")),
        Ok(port) => Ok((service.to_owned(), port)),
    }
}

/// A span of time, such as `30s`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "write it as `30s`, `10m` or `2h`".to_owned())
}

/// A span of time that is not zero.
pub(crate) fn positive_span(text: &str) -> Result<Duration, String> {
    match span(text)? {
        Duration::ZERO => Err("it must be longer than nothing, such as `2s`".to_owned()),
        span => Ok(span),
    }
}

/// A port on the command line, 1 to 65535.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "a port is a number from 1 to 65535".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_forced_ports_and_spans() {
        assert_eq!(forced_port("a=9000"), Ok(("a".into(), 9000)));
        for text in ["a", "a=", "a=0", "a=70000", "a=x"] {
            assert!(forced_port(text).is_err(), "{text}");
        }
        assert_eq!(port("65535"), Ok(65535));
        for text in ["", "0", "-1", "65536", "abc"] {
            assert!(port(text).is_err(), "{text}");
        }
        assert_eq!(span("10m"), Ok(Duration::from_secs(600)));
        assert!(span("soon").is_err());
    }
}
