//! The supervisor of one instance: it starts, watches and stops the instance's services and leaves
//! no process behind. `docs/architecture.md` describes how.
//!
//! Input: a [`Config`] with the plan, the wiring and the holds of all ports. Output: a status,
//! events and logs, also for other processes on a local socket ([`control`]). A [`keeper`] process
//! runs between the supervisor and each service. This crate does not choose ports: the
//! [`SupervisorHost`] of the caller replaces a lost one.

pub mod control;
mod host;
pub mod keeper;
mod lan;
pub mod logs;
pub mod mark;
mod ownership;
mod platform;
pub mod probe;
pub mod process;
mod state;
mod supervisor;

use std::time::{Duration, Instant};

pub use host::{HostError, ReplacementPort, SupervisorHost};
pub use lan::LanConfig;
pub use state::ExitStatus;
pub use supervisor::{Config, Handle, Outcome, Request, Supervisor};

/// How often [`stop_descendants`] checks which processes are left.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Makes this process the parent of every descendant whose own parent exits, so that
/// [`stop_descendants`] finds it. On Windows, puts this process into a job object.
///
/// # Errors
/// When the system refuses.
pub fn become_reaper() -> std::io::Result<()> {
    platform::reap_descendants()
}

/// Raises the limit of open files of this process as far as the system allows. Services get the
/// caller's limit.
pub fn raise_open_files_limit() {
    platform::raise_open_files_limit();
}

/// Makes a command start with the limit of open files that this process got from its caller.
pub fn restore_open_files_limit(command: &mut std::process::Command) {
    platform::restore_open_files_limit(command);
}

/// Keeps child processes from inheriting this process's standard streams in addition to their own.
#[cfg(windows)]
pub fn disable_stream_inheritance() {
    platform::disable_stream_inheritance();
}

/// Stops every descendant of this process, and kills those that are left after `grace`.
pub async fn stop_descendants(grace: Duration) {
    stop_orphans(grace, || false).await;
}

/// Stops every child of this process that is not a keeper, with its descendants. Kills those that
/// are left after `grace`, or as soon as `is_urgent` returns true.
pub(crate) async fn stop_orphans(grace: Duration, is_urgent: impl Fn() -> bool) {
    let deadline = Instant::now() + grace;
    let must_kill = || is_urgent() || Instant::now() >= deadline;
    // Other services keep running and may get new keepers, so the keepers are read each time.
    while !platform::stop_orphans(&keeper::keepers(), must_kill()) {
        tokio::time::sleep(STOP_POLL_INTERVAL).await;
    }
}

/// Returns the current time in milliseconds since 1970-01-01 UTC.
pub fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
