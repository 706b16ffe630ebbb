//! Whether the clock agrees with what was recorded: a clock that was set back makes old leases look
//! new, and records lie in the future.

use std::time::UNIX_EPOCH;

use portway_api::{Check, Finding};

use super::note::{fine, warning};
use super::scene::Scene;

/// A clock may be corrected by so much without a word, in milliseconds.
const TOLERATED: u64 = 60_000;

/// Everything that is dated, with its time in milliseconds since 1970-01-01 UTC.
pub(super) fn gather(scene: &Scene) -> Vec<(String, u64)> {
    let mut records = Vec::new();
    for (instance, leases, _) in scene.records.iter().flat_map(|one| &one.entries) {
        let own = (
            format!("the last use of {}", instance.name),
            instance.last_used,
        );
        records.push(own);
        for lease in leases {
            let words = format!("the lease of port {}", lease.port);
            records.push((words, lease.last_used));
        }
    }
    let file = scene.root.join(portway_project::ports_file::FILE_NAME);
    let written = file
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok();
    if let Some(since) = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok()) {
        let written = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        records.push(("the writing of `.ports.json`".to_owned(), written));
    }
    records
}

/// Judges the latest of them.
pub(super) fn judge(records: &[(String, u64)], now: u64) -> Finding {
    let latest = records.iter().max_by_key(|(_, at)| at);
    match latest.map(|(what, at)| (what, at.saturating_sub(now))) {
        Some((what, ahead)) if ahead > TOLERATED => warning(
            Check::Clock,
            "clock",
            format!(
                "is behind its own records: {what} lies {} ahead",
                span(ahead)
            ),
            "set it right (`timedatectl` tells); what was recorded mends itself with the next use",
        ),
        _ => fine(Check::Clock, "clock", "no record lies in the future"),
    }
}

fn span(milliseconds: u64) -> String {
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
    fn a_record_of_the_future_is_told_and_a_small_correction_is_not() {
        let record = |at| {
            vec![
                ("old".to_owned(), 5),
                ("the lease of port 9000".to_owned(), at),
            ]
        };
        assert_eq!(judge(&record(1_000_000), 990_000).severity, Severity::Fine);
        assert_eq!(judge(&[], 0).severity, Severity::Fine);
        let behind = judge(&record(10_000_000), 990_000);
        assert_eq!(behind.severity, Severity::Warning);
        assert!(
            behind
                .message
                .ends_with("the lease of port 9000 lies 150 minutes ahead")
                || behind.message.ends_with("lies 2 hours ahead")
        );
    }
}
