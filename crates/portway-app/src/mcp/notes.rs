//! Collects what a command reports, to return it with the result.

use std::sync::Mutex;

use portway_api::{ChangePlan, InstanceStatus, LogRecord, Notice, ServiceStatus};
use portway_detect::Detection;

use crate::reporter::{Progress, Reporter};

/// Collects notes and log lines.
#[derive(Debug, Default)]
pub(super) struct Notes {
    texts: Mutex<Vec<String>>,
    records: Mutex<Vec<LogRecord>>,
}

impl Notes {
    /// Returns the facts and warnings, and removes them.
    pub(super) fn texts(&self) -> Vec<String> {
        self.texts
            .lock()
            .map_or_else(|_| Vec::new(), |mut texts| std::mem::take(&mut *texts))
    }

    /// Returns the log lines, and removes them.
    pub(super) fn records(&self) -> Vec<LogRecord> {
        self.records
            .lock()
            .map_or_else(|_| Vec::new(), |mut records| std::mem::take(&mut *records))
    }

    fn add(&self, text: &str) {
        if let Ok(mut texts) = self.texts.lock() {
            texts.push(text.to_owned());
        }
    }
}

impl Reporter for Notes {
    fn info(&self, text: &str) {
        self.add(text);
    }

    fn warning(&self, text: &str) {
        self.add(text);
    }

    fn log(&self, _services: &[String], record: &LogRecord) -> bool {
        self.records.lock().is_ok_and(|mut records| {
            records.push(record.clone());
            true
        })
    }

    fn progress(&self) -> Box<dyn Progress> {
        Box::new(NoProgress)
    }

    fn is_colored(&self) -> bool {
        false
    }

    fn can_ask(&self) -> bool {
        false
    }

    fn confirm(&self, _question: &str) -> bool {
        false
    }

    // The results of the commands contain all of these.
    fn detected(&self, _detection: &Detection) {}
    fn port_warnings(&self, _status: &InstanceStatus) {}
    fn ready(&self, _status: &InstanceStatus, _attached: bool) {}
    fn running(&self, _status: &InstanceStatus) {}
    fn changes(&self, _plan: &ChangePlan) {}
    fn failed(&self, _service: &ServiceStatus) {}
    fn started(&self, _status: &InstanceStatus) {}
}

/// A client sees no progress.
struct NoProgress;

impl Progress for NoProgress {
    fn status(&self, _status: &InstanceStatus) {}
    fn message(&self, _text: &str) {}
    fn notice(&self, _notice: &Notice) {}
    fn line(&self, _text: &str) {}
    fn suspend(&self, print: &mut dyn FnMut()) {
        print();
    }
    fn finish(&self) {}
}
