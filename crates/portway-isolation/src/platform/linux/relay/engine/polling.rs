//! When the thread polls for the next event instead of sleeping.
//!
//! A request passes the relay twice. Each time the thread slept, waking it up takes longer than passing the
//! data on. While events of one connection follow each other within microseconds, the thread therefore stays
//! awake for the next one. With several connections, the services need the processor, and the next event is
//! usually there already.

use std::hint;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::io::Errno;

/// How long the thread polls, and the longest pause after which polling would have been worthwhile.
const POLL_TIME: Duration = Duration::from_micros(100);

/// Polling starts after this many short pauses more than long ones.
const START: u32 = 8;

/// More short pauses than this do not count.
const MAX: u32 = 2 * START;

/// A poll without an event costs as much as this many short pauses bring.
const MISS: u32 = 4;

/// The pauses between the latest events of one connection.
#[derive(Debug, Default)]
pub(super) struct Polling {
    connection: Option<u32>,
    /// How many more pauses were short than long.
    short: u32,
}

impl Polling {
    /// Waits for events with `wait`, which returns their number. A `timeout` of zero only reads those that are
    /// due.
    pub(super) fn wait(
        &mut self,
        timeout: Option<Timespec>,
        mut wait: impl FnMut(Option<&Timespec>) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        if timeout == Some(Timespec::default()) {
            return wait(timeout.as_ref());
        }
        let start = Instant::now();
        if self.short >= START {
            while start.elapsed() < POLL_TIME {
                match wait(Some(&Timespec::default()))? {
                    0 => hint::spin_loop(),
                    count => {
                        self.record(true);
                        return Ok(count);
                    }
                }
            }
            self.short -= MISS;
        }
        let count = wait(timeout.as_ref())?;
        self.record(start.elapsed() < POLL_TIME);
        Ok(count)
    }

    /// Records which connection an event is about. `None` if it is about something else.
    pub(super) fn see(&mut self, connection: Option<u32>) {
        if connection.is_none() || self.connection != connection {
            self.connection = connection;
            self.short = 0;
        }
    }

    fn record(&mut self, is_short: bool) {
        self.short = if is_short {
            (self.short + 1).min(MAX)
        } else {
            self.short.saturating_sub(1)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_long_pauses_the_thread_sleeps_at_once() {
        let mut polling = Polling::default();
        for _ in 0..MAX {
            polling.record(true);
        }
        for _ in 0..MAX {
            polling.record(false);
        }
        assert_eq!(polling.short, 0);
        let mut waits = Vec::new();
        let counted = polling.wait(None, |timeout| {
            waits.push(timeout.copied());
            Ok(1)
        });
        assert_eq!((counted, waits), (Ok(1), vec![None]));
    }

    #[test]
    fn events_of_several_connections_do_not_keep_the_thread_awake() {
        let mut polling = Polling::default();
        for _ in 0..2 * MAX {
            polling.record(true);
            polling.see(Some(7));
        }
        assert_eq!(polling.short, MAX);
        for other in [Some(8), None, Some(8)] {
            polling.record(true);
            polling.see(other);
            assert_eq!(polling.short, 0);
        }
    }

    #[test]
    fn an_error_is_passed_on() {
        let wait = |_: Option<&Timespec>| Err(Errno::INTR);
        assert_eq!(Polling::default().wait(None, wait), Err(Errno::INTR));
    }
}
