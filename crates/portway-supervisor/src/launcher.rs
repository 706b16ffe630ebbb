//! The program that started this process in the name of the user, such as the launcher of the npm package.
//!
//! Input: two variables that the launcher sets for Portway only. [`FD_VARIABLE`] is the number of a pipe
//! or socket that the launcher keeps open. [`PID_VARIABLE`] is the process that runs the launcher, such as
//! `npx`. When the pipe is closed or that process exits, this process receives SIGHUP, as from a closed
//! terminal, so it is never left behind. The variables are removed and the pipe is closed in new programs,
//! so services inherit neither.
//!
//! On Windows, the console reports its events to all its processes, and the variables have no effect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(unix)]
use crate::platform;

/// The number of a descriptor whose end reports that the launcher has ended.
#[cfg(unix)]
const FD_VARIABLE: &str = "PORTWAY_LAUNCHER_FD";

/// The pid of the process that runs the launcher.
#[cfg(unix)]
const PID_VARIABLE: &str = "PORTWAY_LAUNCHER_PID";

/// How long a signal may take to come through the launcher and the process that runs it. Within this time,
/// the same signal again is not a second request: a terminal sends Ctrl-C to all of them, and each of them
/// passes it on.
const FORWARD_TIME: Duration = Duration::from_millis(500);

/// Whether a launcher started this process.
static IS_LAUNCHED: AtomicBool = AtomicBool::new(false);

/// Watches the launcher, if there is one. Call this once, before the first thread starts.
#[cfg(unix)]
pub fn watch() {
    let [pipe, process] = [FD_VARIABLE, PID_VARIABLE].map(|name| {
        let value = std::env::var_os(name)?;
        platform::remove_variable(name);
        value.to_str()?.parse::<i32>().ok()
    });
    if pipe.is_none() && process.is_none() {
        return;
    }
    IS_LAUNCHED.store(true, Ordering::Relaxed);
    platform::hang_up_with(pipe, process);
}

/// How long the same signal again belongs to the first one.
pub(crate) fn repeat_time() -> Duration {
    match IS_LAUNCHED.load(Ordering::Relaxed) {
        true => FORWARD_TIME,
        false => Duration::ZERO,
    }
}

/// Recognizes a signal that arrives a second time because the launcher has forwarded it.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    last: Option<(i32, Duration)>,
}

impl Repeats {
    /// Returns whether a signal repeats the last one. `now` is the time since some start.
    pub(crate) fn contains(&mut self, signal: i32, now: Duration, time: Duration) -> bool {
        let is_repeat = self
            .last
            .is_some_and(|(last, at)| last == signal && now.saturating_sub(at) < time);
        if !is_repeat {
            self.last = Some((signal, now));
        }
        is_repeat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_signal_through_two_processes_is_one_request() {
        let mut repeats = Repeats::default();
        let mut contains =
            |signal, ms| repeats.contains(signal, Duration::from_millis(ms), FORWARD_TIME);
        assert!(!contains(2, 1_000));
        assert!(contains(2, 1_010));
        // The time starts at the first one, so that a user who keeps pressing Ctrl-C is heard.
        assert!(contains(2, 1_400));
        assert!(!contains(2, 1_600));
        // Another signal is a request of its own.
        assert!(!contains(15, 1_610));
    }

    #[test]
    fn without_a_launcher_each_signal_counts() {
        let mut repeats = Repeats::default();
        let now = Duration::from_secs(1);
        assert!(!repeats.contains(2, now, Duration::ZERO));
        assert!(!repeats.contains(2, now, Duration::ZERO));
    }
}
