//! Stops what a killed supervisor left, before an instance starts and when it is stopped.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use portway_api::ErrorCode;
use portway_supervisor::remnants::{self, StoppingKeeper, StuckProcess};

use crate::error::CommandError;
use crate::reporter::Reporter;

/// How often keepers are checked that are stopping their services.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A user learns after this time what a command waits for.
const MESSAGE_DELAY: Duration = Duration::from_millis(500);

/// For what the remnants are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For a start. Processes whose keeper left no record are not looked for.
    Start,
    /// To stop the instance.
    Stop,
    /// To stop the instance without grace periods.
    Kill,
}

/// What a killed supervisor left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Whether processes were left.
    pub(crate) found: bool,
    /// The processes that cannot be stopped.
    pub(crate) stuck: Vec<StuckProcess>,
}

/// Waits until the keepers of a killed supervisor have stopped their services, however long their grace
/// periods are, and kills the processes of killed keepers. Stops waiting when `is_supervised` returns
/// true, because the keepers belong to a new supervisor then.
pub(crate) fn settle(
    dir: &Path,
    mode: Mode,
    reporter: Option<&dyn Reporter>,
    is_supervised: impl Fn() -> bool,
) -> Settled {
    let start = Instant::now();
    let mut settled = Settled::default();
    let mut was_said = false;
    loop {
        if is_supervised() {
            return settled;
        }
        // Reading all processes takes some milliseconds, which a start without need must not.
        let is_dead = mode != Mode::Start || remnants::has_dead_keepers(dir);
        if is_dead {
            settled.found |= !remnants::leftovers(dir).is_empty();
        }
        let stopping = remnants::stopping(dir);
        if stopping.is_empty() {
            if is_dead {
                settled.stuck = remnants::kill_leftovers(dir);
            }
            return settled;
        }
        settled.found = true;
        if mode == Mode::Kill {
            remnants::kill_stopping(dir);
        }
        if !was_said && start.elapsed() >= MESSAGE_DELAY {
            was_said = true;
            if let Some(reporter) = reporter {
                reporter.info(&waiting_for(&stopping));
            }
        }
        thread::sleep(POLL_INTERVAL);
    }
}

fn waiting_for(stopping: &[StoppingKeeper]) -> String {
    let services: Vec<String> = stopping
        .iter()
        .map(|keeper| format!("`{}` (keeper: pid {})", keeper.service, keeper.pid))
        .collect();
    format!(
        "the supervisor of this checkout was killed; waiting for its services to stop: {}; \
         run `portway down --now` to kill them",
        services.join(", ")
    )
}

/// The error of processes that cannot be stopped.
pub(crate) fn stuck_error(stuck: &[StuckProcess]) -> CommandError {
    let message = format!("cannot stop {}", remnants::list(stuck));
    with_kill_hint(CommandError::new(ErrorCode::Failed, message))
}

/// Adds how to stop a process that Portway cannot stop.
pub(crate) fn with_kill_hint(error: CommandError) -> CommandError {
    error.hint("stop it as its user or as root: `sudo kill -9 PID`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_services_and_keepers() {
        let text = waiting_for(&[StoppingKeeper {
            service: "web".into(),
            pid: 42,
        }]);
        assert!(text.contains("`web` (keeper: pid 42)"), "{text}");
    }
}
