//! Writes log files.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use portway_api::{LogRecord, LogStream};

use super::CappedFile;

/// The number of files of a service's log.
const FILES: u64 = 2;
/// How many of a service's last lines are kept in memory.
const TAIL_LINES: usize = 20;

/// Writes the logs of one instance.
#[derive(Debug)]
pub struct LogStore {
    dir: PathBuf,
    /// The maximum size of a file in bytes.
    segment_size: u64,
    open: HashMap<String, CappedFile>,
    tails: HashMap<String, VecDeque<String>>,
    next_number: u64,
    /// The last error of a write, for example on a full disk. Services are not affected.
    write_error: Option<io::Error>,
}

impl LogStore {
    /// Opens the log directory `dir` and creates it if necessary. `size` is the maximum size of a
    /// service's log in bytes. At least the newer half of that is kept.
    ///
    /// # Errors
    /// When the directory cannot be created.
    pub fn open(dir: &Path, size: u64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            segment_size: size / FILES,
            open: HashMap::new(),
            tails: HashMap::new(),
            // Microseconds since 1970 exceed every number that an earlier supervisor assigned.
            next_number: crate::now() * 1000,
            write_error: None,
        })
    }

    /// Writes a line and returns its record.
    pub fn append(&mut self, service: &str, stream: LogStream, text: String) -> LogRecord {
        let record = LogRecord {
            time: crate::now(),
            number: self.next_number,
            service: service.to_owned(),
            stream,
            text,
        };
        self.next_number += 1;
        if stream != LogStream::Portway {
            let tail = self.tails.entry(service.to_owned()).or_default();
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            tail.push_back(record.text.clone());
        }
        if let Err(error) = self.write(&record) {
            self.write_error = Some(error);
            self.open.remove(service);
        }
        record
    }

    /// Returns the last lines that a service itself has printed, the oldest first.
    pub fn tail(&self, service: &str) -> Vec<String> {
        self.tails
            .get(service)
            .map(|tail| tail.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Discards the last lines of a service that starts again.
    pub fn clear_tail(&mut self, service: &str) {
        self.tails.remove(service);
    }

    /// Returns the last write error since the previous call.
    pub fn take_write_error(&mut self) -> Option<io::Error> {
        self.write_error.take()
    }

    fn write(&mut self, record: &LogRecord) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let file = match self.open.entry(record.service.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let path = |older| segment_path(&self.dir, &record.service, older);
                entry.insert(CappedFile::open(
                    &path(false),
                    &path(true),
                    self.segment_size,
                )?)
            }
        };
        file.write_all(&line)
    }
}

/// Returns the path of the newer or older file of a service.
pub(super) fn segment_path(dir: &Path, service: &str, older: bool) -> PathBuf {
    dir.join(format!("{service}{}.ndjson", if older { ".1" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{Filter, read};

    const SIZE: u64 = 1 << 20;

    #[test]
    fn limits_the_size_and_keeps_the_newest_lines() {
        let temp = tempfile::tempdir().unwrap();
        let mut store = LogStore::open(temp.path(), 2 * 4096).unwrap();
        for number in 0..1000 {
            store.append("web", LogStream::Out, format!("line {number}"));
        }
        let bytes: u64 = fs::read_dir(temp.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        assert!(bytes <= 2 * 4096, "{bytes}");
        let lines = read(temp.path(), &Filter::default());
        assert_eq!(lines.last().unwrap().text, "line 999");
        assert!(lines.windows(2).all(|two| two[0].number < two[1].number));
        assert_eq!(store.tail("web").len(), TAIL_LINES);
    }

    #[test]
    fn numbers_ascend_across_supervisors() {
        let temp = tempfile::tempdir().unwrap();
        let first =
            LogStore::open(temp.path(), SIZE)
                .unwrap()
                .append("web", LogStream::Out, "a".into());
        std::thread::sleep(std::time::Duration::from_millis(2));
        let second =
            LogStore::open(temp.path(), SIZE)
                .unwrap()
                .append("web", LogStream::Out, "b".into());
        assert!(second.number > first.number);
    }

    #[test]
    fn reports_a_write_error_and_continues() {
        let temp = tempfile::tempdir().unwrap();
        let mut store = LogStore::open(temp.path(), SIZE).unwrap();
        fs::remove_dir(temp.path()).unwrap();
        assert_eq!(store.append("web", LogStream::Out, "x".into()).text, "x");
        assert!(store.take_write_error().is_some());
        fs::create_dir(temp.path()).unwrap();
        store.append("web", LogStream::Out, "y".into());
        assert!(store.take_write_error().is_none());
        assert_eq!(read(temp.path(), &Filter::default()).len(), 1);
    }
}
