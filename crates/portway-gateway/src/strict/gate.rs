//! Whether a connection switches to another protocol.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Passes the decision about each request that asks for another protocol from the side that responds
/// to the stream that reads the requests.
#[derive(Debug, Default)]
pub(crate) struct UpgradeGate(Mutex<Decisions>);

#[derive(Debug, Default)]
struct Decisions {
    /// The number of requests that were decided.
    count: u64,
    has_switched: bool,
    waiting: Option<Waker>,
}

impl UpgradeGate {
    fn decisions(&self) -> MutexGuard<'_, Decisions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records whether the next request that asks for another protocol switches the connection.
    pub(crate) fn decide(&self, switches: bool) {
        let mut decisions = self.decisions();
        decisions.count += 1;
        decisions.has_switched |= switches;
        if let Some(waiting) = decisions.waiting.take() {
            waiting.wake();
        }
    }

    /// Waits until `count` requests were decided. Returns whether the connection has switched.
    pub(super) fn poll_decided(&self, count: u64, context: &mut Context<'_>) -> Poll<bool> {
        let mut decisions = self.decisions();
        if decisions.count >= count {
            return Poll::Ready(decisions.has_switched);
        }
        decisions.waiting = Some(context.waker().clone());
        Poll::Pending
    }
}
