//! Prints the health of services.

use std::io::{self, IsTerminal, Write};

use portway_api::{HealthCheckKind, HealthReport, ServiceHealth};

use super::table::{Flexible, columns};
use super::{RED, message, out, styled};

/// Prints one check.
pub(crate) fn health(report: &HealthReport) -> bool {
    if report.services.is_empty() {
        message("no service in this checkout has a port\n");
        return true;
    }
    out(&table(report))
}

/// Prints one of several checks; on a terminal it replaces the previous one. Returns false after
/// the reader has closed the stream.
pub(crate) fn health_update(report: &HealthReport) -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let at = jiff::Timestamp::from_millisecond(i64::try_from(report.at).unwrap_or(0))
        .unwrap_or_default()
        .to_zoned(jiff::tz::TimeZone::system());
    let head = format!("{}\n", at.strftime("%H:%M:%S"));
    let mut stdout = io::stdout();
    if stdout.is_terminal() && !dumb {
        // Written directly, because the color filter would remove the escape sequence.
        let cleared = stdout.write_all(b"\x1b[H\x1b[2J");
        return cleared.is_ok() && out(&head) && health(report);
    }
    out(&head) && health(report)
}

fn table(report: &HealthReport) -> String {
    let header = ["SERVICE", "HEALTH", "STATUS", "LATENCY", "URL", ""];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(report.services.iter().map(row));
    // The header has no state.
    let well = std::iter::once(true).chain(report.services.iter().map(|one| one.healthy));
    // The problem of an unhealthy service, or its port inside.
    let lines = columns(rows, "", &[Flexible::text(5, 20)]);
    lines
        .lines()
        .zip(well)
        .map(|(line, well)| match well {
            true => format!("{line}\n"),
            false => format!("{}\n", styled(RED, line)),
        })
        .collect()
}

fn row(service: &ServiceHealth) -> Vec<String> {
    let status = match (service.check, service.status) {
        (_, Some(status)) => status.to_string(),
        (HealthCheckKind::Tcp, None) => "tcp".to_owned(),
        (HealthCheckKind::Http, None) => "-".to_owned(),
    };
    // A status code already says what is wrong.
    let inner = service.inner.filter(|&inner| inner != service.port);
    let note = match (&service.problem, service.status, inner) {
        (Some(problem), None, _) => problem.clone(),
        (.., Some(inner)) => format!("{inner} inside"),
        _ => String::new(),
    };
    vec![
        service.service.clone(),
        if service.healthy {
            "healthy"
        } else {
            "unhealthy"
        }
        .to_owned(),
        status,
        service.latency_ms.map_or_else(|| "-".to_owned(), latency),
        service.url.clone(),
        note,
    ]
}

/// Formats milliseconds with one decimal below 10.
fn latency(milliseconds: f64) -> String {
    if milliseconds < 10.0 {
        format!("{milliseconds:.1} ms")
    } else {
        format!("{milliseconds:.0} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_short_latencies_with_a_decimal() {
        assert_eq!(latency(0.42), "0.4 ms");
        assert_eq!(latency(431.7), "432 ms");
    }

    #[test]
    fn shows_services_without_http_as_tcp() {
        let service = ServiceHealth {
            service: "redis".into(),
            check: HealthCheckKind::Tcp,
            url: "redis://localhost:6379".into(),
            port: 6379,
            inner: None,
            healthy: true,
            status: None,
            latency_ms: Some(0.1),
            problem: None,
        };
        assert_eq!(row(&service)[2], "tcp");
    }

    #[test]
    fn shows_the_port_inside_a_network_unless_it_is_the_same_or_there_is_a_problem() {
        let note = |inner: Option<u16>, problem: Option<&str>| {
            let service = ServiceHealth {
                service: "api".into(),
                check: HealthCheckKind::Http,
                url: "http://localhost:5001/".into(),
                port: 5001,
                inner,
                healthy: problem.is_none(),
                status: None,
                latency_ms: None,
                problem: problem.map(str::to_owned),
            };
            row(&service)[5].clone()
        };
        assert_eq!(note(Some(5000), None), "5000 inside");
        assert_eq!(note(Some(5001), None), "");
        assert_eq!(note(None, None), "");
        assert_eq!(note(Some(5000), Some("times out")), "times out");
    }
}
