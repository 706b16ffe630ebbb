//! The writing side.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use portway_api::{LogRecord, LogStream};

/// A service's log is two files: when the newer one is full, it becomes the older one.
const FILES: u64 = 2;
/// How many last lines of each service are kept in memory, for showing why it failed.
const TAIL: usize = 20;

/// Writes the logs of one instance.
#[derive(Debug)]
pub struct LogStore {
    dir: PathBuf,
    segment: u64,
    open: HashMap<String, Segment>,
    tails: HashMap<String, VecDeque<String>>,
    next: u64,
    /// Set when a write failed, for example on a full disk; services go on all the same.
    failure: Option<io::Error>,
}

#[derive(Debug)]
struct Segment {
    file: File,
    length: u64,
}

impl LogStore {
    /// Opens the logs in `dir`, which is made if it is not there. `size` is how many bytes of each
    /// service's log are kept; never fewer than the newer half of that.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(dir: &Path, size: u64) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            segment: size / FILES,
            open: HashMap::new(),
            tails: HashMap::new(),
            // Microseconds since 1970: above every number that an earlier supervisor gave.
            next: crate::now() * 1000,
            failure: None,
        })
    }

    /// Writes one line and answers it as a record.
    pub fn append(&mut self, service: &str, stream: LogStream, text: String) -> LogRecord {
        let record = LogRecord {
            time: crate::now(),
            number: self.next,
            service: service.to_owned(),
            stream,
            text,
        };
        self.next += 1;
        let tail = self.tails.entry(service.to_owned()).or_default();
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(record.text.clone());
        if let Err(error) = self.write(&record) {
            self.failure = Some(error);
            self.open.remove(service);
        }
        record
    }

    /// The last lines of a service, oldest first.
    pub fn tail(&self, service: &str) -> Vec<String> {
        self.tails
            .get(service)
            .map(|tail| tail.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Forgets the last lines of a service: it starts anew.
    pub fn clear_tail(&mut self, service: &str) {
        self.tails.remove(service);
    }

    /// The failure of a write since the last call, if there was one.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn write(&mut self, record: &LogRecord) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let path = segment_path(&self.dir, &record.service, false);
        if let Some(segment) = self.open.get(&record.service)
            && segment.length + line.len() as u64 > self.segment
        {
            fs::rename(&path, segment_path(&self.dir, &record.service, true))?;
            self.open.remove(&record.service);
        }
        let segment = match self.open.entry(record.service.clone()) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let mut options = OpenOptions::new();
                options.create(true).append(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let file = options.open(&path)?;
                let length = file.metadata()?.len();
                entry.insert(Segment { file, length })
            }
        };
        segment.file.write_all(&line)?;
        segment.length += line.len() as u64;
        Ok(())
    }
}

/// The newer or the older file of a service.
pub(super) fn segment_path(dir: &Path, service: &str, older: bool) -> PathBuf {
    dir.join(format!("{service}{}.ndjson", if older { ".1" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{Filter, read};

    const SIZE: u64 = 1 << 20;

    #[test]
    fn a_flood_stays_under_its_cap_and_the_newest_lines_are_there() {
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
        assert_eq!(store.tail("web").len(), TAIL);
    }

    #[test]
    fn a_later_supervisor_goes_on_counting_upwards() {
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
    fn a_write_that_fails_is_told_and_does_not_stop_anything() {
        let temp = tempfile::tempdir().unwrap();
        let mut store = LogStore::open(temp.path(), SIZE).unwrap();
        fs::remove_dir(temp.path()).unwrap();
        assert_eq!(store.append("web", LogStream::Out, "x".into()).text, "x");
        assert!(store.take_failure().is_some());
        fs::create_dir(temp.path()).unwrap();
        store.append("web", LogStream::Out, "y".into());
        assert!(store.take_failure().is_none());
        assert_eq!(read(temp.path(), &Filter::default()).len(), 1);
    }
}
