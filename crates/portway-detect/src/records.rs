//! What became no service, and why, as the readers record it.

use std::cell::RefCell;

use super::Skipped;

/// The records of one detection.
#[derive(Default)]
pub(crate) struct Records {
    /// Files that could not be used.
    skipped: RefCell<Vec<Skipped>>,
    /// What is left out by a decision, although the file is fine.
    passed_over: RefCell<Vec<Skipped>>,
}

impl Records {
    /// Records that a file cannot be used.
    pub(super) fn skip(&self, record: Skipped) {
        add(&self.skipped, record);
    }

    /// Records that something is left out by a decision.
    pub(super) fn pass_over(&self, record: Skipped) {
        add(&self.passed_over, record);
    }

    /// Returns what could not be used so far.
    pub(super) fn take_skipped(&self) -> Vec<Skipped> {
        self.skipped.take()
    }

    /// Returns what could not be used, and what was left out.
    pub(super) fn into_inner(self) -> (Vec<Skipped>, Vec<Skipped>) {
        (self.skipped.into_inner(), self.passed_over.into_inner())
    }
}

fn add(records: &RefCell<Vec<Skipped>>, record: Skipped) {
    let mut all = records.borrow_mut();
    if !all.contains(&record) {
        all.push(record);
    }
}
