//! What has been found to be wrong, by whom ever.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Shared by everyone who looks.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    wrong: Mutex<Vec<String>>,
    looks: AtomicU64,
    interrupted: Arc<AtomicBool>,
}

impl Verdict {
    /// `interrupted` ends the run as a finding does.
    pub(crate) fn new(interrupted: &Arc<AtomicBool>) -> Self {
        Self {
            interrupted: Arc::clone(interrupted),
            ..Self::default()
        }
    }

    /// Notes what an invariant has found, if anything.
    pub(crate) fn note(&self, invariant: &str, found: Option<String>) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        if let (Some(what), Ok(mut wrong)) = (found, self.wrong.lock()) {
            wrong.push(format!("{invariant}: {what}"));
        }
    }

    /// Whether anything is wrong, so that there is no use in going on.
    pub(crate) fn is_wrong(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
            || self.wrong.lock().map_or(true, |wrong| !wrong.is_empty())
    }

    pub(crate) fn take(&self) -> Vec<String> {
        if self.interrupted.load(Ordering::Relaxed) {
            return vec!["interrupted".to_owned()];
        }
        self.wrong
            .lock()
            .map(|mut wrong| std::mem::take(&mut *wrong))
            .unwrap_or_default()
    }

    /// How often an invariant has been judged.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }
}
