//! The violated invariants of a run, collected from all threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Collects violations and counts checks.
#[derive(Debug, Default)]
pub(crate) struct Violations {
    messages: Mutex<Vec<String>>,
    checks: AtomicU64,
    interrupted: Arc<AtomicBool>,
}

impl Violations {
    /// `interrupted` stops the run like a violation.
    pub(crate) fn new(interrupted: &Arc<AtomicBool>) -> Self {
        Self {
            interrupted: Arc::clone(interrupted),
            ..Self::default()
        }
    }

    /// Record the result of one check. `violation` describes what is wrong, if anything.
    pub(crate) fn record(&self, invariant: &str, violation: Option<String>) {
        self.checks.fetch_add(1, Ordering::Relaxed);
        if let (Some(violation), Ok(mut messages)) = (violation, self.messages.lock()) {
            messages.push(format!("{invariant}: {violation}"));
        }
    }

    /// Whether the run must stop, because of a violation or Ctrl-C.
    pub(crate) fn must_stop(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
            || self
                .messages
                .lock()
                .map_or(true, |messages| !messages.is_empty())
    }

    /// Remove and return the violations.
    pub(crate) fn take(&self) -> Vec<String> {
        if self.interrupted.load(Ordering::Relaxed) {
            return vec!["interrupted".to_owned()];
        }
        self.messages
            .lock()
            .map(|mut messages| std::mem::take(&mut *messages))
            .unwrap_or_default()
    }

    /// The number of checks so far.
    pub(crate) fn checks(&self) -> u64 {
        self.checks.load(Ordering::Relaxed)
    }
}
