//! Reads log files, whether or not the instance is running.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;

use portway_api::LogRecord;
use regex_lite::Regex;

/// A filter for log lines.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only lines of these services. An empty list means all services.
    pub services: Vec<String>,
    /// Only lines from this time on, in milliseconds since 1970-01-01 UTC.
    pub since: Option<u64>,
    /// Only lines that match this pattern.
    pub grep: Option<Regex>,
}

impl Filter {
    /// Returns whether a line passes the filter.
    pub fn matches(&self, record: &LogRecord) -> bool {
        (self.services.is_empty() || self.services.contains(&record.service))
            && self.since.is_none_or(|since| record.time >= since)
            && self
                .grep
                .as_ref()
                .is_none_or(|grep| grep.is_match(&record.text))
    }
}

/// Returns the lines in the log directory `dir` that pass the filter, in the order in which they
/// were printed. Skips incomplete records, such as those that a power failure leaves.
pub fn read(dir: &Path, filter: &Filter) -> Vec<LogRecord> {
    let mut records: Vec<LogRecord> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "ndjson")
        })
        .filter_map(|path| File::open(path).ok())
        .flat_map(|file| BufReader::new(file).split(b'\n').map_while(Result::ok))
        .filter_map(|line| serde_json::from_slice(&line).ok())
        .filter(|record| filter.matches(record))
        .collect();
    records.sort_by_key(|record| record.number);
    records
}

#[cfg(test)]
mod tests {
    use portway_api::LogStream;

    use super::*;
    use crate::logs::LogStore;

    #[test]
    fn filters_and_sorts_lines() {
        let temp = tempfile::tempdir().unwrap();
        let mut store = LogStore::open(temp.path(), 1 << 20).unwrap();
        for (service, text) in [("web", "one"), ("api", "two"), ("web", "three")] {
            store.append(service, LogStream::Out, text.into());
        }
        fs::write(temp.path().join("web.1.ndjson"), "{\"cut off").unwrap();
        let texts = |filter: &Filter| {
            read(temp.path(), filter)
                .into_iter()
                .map(|record| record.text)
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(&Filter::default()), ["one", "two", "three"]);
        let web = Filter {
            services: vec!["web".into()],
            ..Filter::default()
        };
        assert_eq!(texts(&web), ["one", "three"]);
        let grep = Filter {
            grep: Some(Regex::new("^t").unwrap()),
            ..Filter::default()
        };
        assert_eq!(texts(&grep), ["two", "three"]);
        let later = Filter {
            since: Some(u64::MAX),
            ..Filter::default()
        };
        assert!(texts(&later).is_empty());
    }
}
