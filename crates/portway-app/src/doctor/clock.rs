//! Checks the clock against recorded times. If the clock was set back, old leases appear recent and
//! records are in the future.

use std::time::UNIX_EPOCH;

use portway_api::{Check, Finding};

use super::context::DoctorContext;
use super::finding_builder::{fine, warning};

/// Clock corrections up to this many milliseconds are normal.
const TOLERANCE_MS: u64 = 60_000;

/// Collects recorded times, in milliseconds since 1970-01-01 UTC.
pub(super) fn collect(context: &DoctorContext) -> Vec<(String, u64)> {
    let mut records = Vec::new();
    for (instance, leases, _) in context.records.iter().flat_map(|one| &one.entries) {
        let own = (
            format!("the last use of `{}`", instance.name),
            instance.last_used,
        );
        records.push(own);
        for lease in leases {
            let words = format!("the lease of port {}", lease.port);
            records.push((words, lease.last_used));
        }
    }
    let file = context.root.join(portway_project::ports_file::FILE_NAME);
    let written = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok();
    if let Some(since) = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok()) {
        let written = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        records.push(("the modification time of `.ports.json`".to_owned(), written));
    }
    records
}

/// Evaluates the latest record.
pub(super) fn evaluate(records: &[(String, u64)], now: u64) -> Finding {
    let latest = records.iter().max_by_key(|(_, at)| at);
    match latest.map(|(what, at)| (what, at.saturating_sub(now))) {
        Some((what, ahead)) if ahead > TOLERANCE_MS => warning(
            Check::Clock,
            "clock",
            format!(
                "is behind recorded times: {what} is {} ahead",
                format_duration(ahead)
            ),
            "correct the clock (see `timedatectl`); the next use of Portway updates the records",
        ),
        _ => fine(Check::Clock, "clock", "no recorded time is in the future"),
    }
}

fn format_duration(milliseconds: u64) -> String {
    let minutes = milliseconds / 60_000;
    match minutes {
        0..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use portway_api::Severity;

    use super::*;

    #[test]
    fn reports_records_in_the_future_and_tolerates_corrections() {
        let record = |at| {
            vec![
                ("old".to_owned(), 5),
                ("the lease of port 9000".to_owned(), at),
            ]
        };
        assert_eq!(
            evaluate(&record(1_000_000), 990_000).severity,
            Severity::Fine
        );
        assert_eq!(evaluate(&[], 0).severity, Severity::Fine);
        let behind = evaluate(&record(10_000_000), 990_000);
        assert_eq!(behind.severity, Severity::Warning);
        assert!(
            behind
                .message
                .ends_with("the lease of port 9000 is 150 minutes ahead")
                || behind.message.ends_with("is 2 hours ahead")
        );
    }
}
