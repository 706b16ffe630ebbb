//! The supervisor of one instance: it starts, watches and stops the instance's services and leaves
//! no process behind. `docs/architecture.md` describes how.
//!
//! Input: a [`Config`] with the plan, the wiring and the holds of all ports. Output: a status,
//! events and logs, also for other processes on a local socket ([`control`]). A [`keeper`] process
//! runs between the supervisor and each service. This crate does not choose ports: the
//! [`SupervisorHost`] of the caller replaces a lost one.

pub mod containers;
pub mod control;
mod foreground;
#[cfg(unix)]
pub mod guard;
mod host;
pub mod keeper;
mod lan;
pub mod launcher;
pub mod logs;
pub mod mark;
mod orphans;
mod ownership;
mod platform;
pub mod probe;
pub mod process;
pub mod program;
mod record;
pub mod remnants;
mod state;
mod stuck;
mod supervisor;

#[cfg(windows)]
use std::time::Duration;

pub use foreground::{Foreground, ForegroundConfig, ForegroundExit};
pub use host::{Change, ChangeJob, HostError, ReplacementPort, RunningProject, SupervisorHost};
pub use lan::LanConfig;
pub use state::ExitStatus;
pub use supervisor::{
    ChangedFiles, Config, Handle, InstanceNetwork, Outcome, Request, Supervisor, Upkeep,
};

/// Starts a process that belongs to a supervisor itself, such as the helper in the network of its instance. It
/// does not count as left by a service.
///
/// # Errors
/// When the process cannot be started.
pub fn spawn_own(command: &mut std::process::Command) -> std::io::Result<std::process::Child> {
    orphans::spawn_spared(command)
}

/// Makes this process the parent of every descendant whose own parent exits, so that
/// [`stop_descendants`] finds it. The present children are spared. On Windows, puts this process into a
/// job object.
///
/// # Errors
/// When the system refuses.
pub(crate) fn become_reaper() -> std::io::Result<()> {
    orphans::spare_children();
    platform::reap_descendants()
}

/// Fails if this process cannot see the processes that it starts.
///
/// # Errors
/// When `/proc` belongs to another PID namespace.
pub fn check_processes() -> std::io::Result<()> {
    platform::check_processes()
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

/// Stops every descendant of this process, and kills those that are left after `grace`. Returns those
/// that cannot be stopped.
#[cfg(windows)]
pub(crate) async fn stop_descendants(grace: Duration) -> Vec<stuck::StuckProcess> {
    orphans::stop(grace, || false).await
}

/// Reaps orphans that have exited, which are children of this process as a reaper. Never returns.
pub async fn reap_orphans() {
    orphans::reap().await;
}

/// Returns the current time in milliseconds since 1970-01-01 UTC.
pub fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
