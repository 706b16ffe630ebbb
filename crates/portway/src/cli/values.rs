//! Parsers of command-line values.

use std::time::Duration;

/// Parses a service and its required port: `SERVICE=PORT`.
pub(crate) fn service_port(text: &str) -> Result<(String, u16), String> {
    let (service, port) = text
        .split_once('=')
        .ok_or("use the form SERVICE=PORT, such as backend=9005")?;
    match port.parse() {
        Ok(0) | Err(_) => Err(format!(
            "`{port}` is not a port; use a number from 1 to 65535"
        )),
        Ok(port) => Ok((service.to_owned(), port)),
    }
}

/// Parses a duration, such as `30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "use a duration such as `30s`, `10m` or `2h`".to_owned())
}

/// Parses a duration greater than zero.
pub(crate) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("use a duration greater than zero, such as `2s`".to_owned()),
        duration => Ok(duration),
    }
}

/// Parses a port from 1 to 65535.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| "use a number from 1 to 65535".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_ports_and_durations() {
        assert_eq!(service_port("a=9000"), Ok(("a".into(), 9000)));
        for text in ["a", "a=", "a=0", "a=70000", "a=x"] {
            assert!(service_port(text).is_err(), "{text}");
        }
        assert_eq!(port("65535"), Ok(65535));
        for text in ["", "0", "-1", "65536", "abc"] {
            assert!(port(text).is_err(), "{text}");
        }
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert!(duration("soon").is_err());
    }
}
