//! Running the services of one instance, and leaving nothing behind.
//!
//! # Theory of operation
//!
//! ```text
//! supervisor ──┬── keeper ── backend ── its workers …
//!              └── keeper ── npm ── sh ── vite …
//! ```
//!
//! The *supervisor* ([`Supervisor`]) is one task that owns all state of an instance and has a
//! mailbox. What a service does next is decided by a pure state machine (`state.rs`); the task
//! carries it out.
//!
//! Between the supervisor and each service stands a *keeper* ([`keeper`]): the same binary,
//! executed again, in a session of its own. It is the reaper of everything that the service starts,
//! whatever that does to get away, and ends all of it when the supervisor asks, or vanishes.
//!
//! The supervisor keeps the holds of all ports while the instance lives, opens one for the instant
//! in which its service starts, and asks the kernel afterwards whose socket it is that listens.
//! Which port a service gets is not decided here: a port that was lost is replaced by the
//! [`SupervisorHost`], whom the caller provides.
//!
//! Where the instance serves on the local network, the supervisor listens there and passes on what
//! comes (`lan`); a *herald* announces it, a process that outlives the supervisor for as long as it
//! takes to withdraw what was announced.
//!
//! Whoever wants to know or to change something speaks HTTP and JSON with it on a local socket
//! ([`control`]).

pub mod control;
mod host;
pub mod keeper;
mod lan;
pub mod logs;
pub mod mark;
mod platform;
pub mod probe;
pub mod process;
mod state;
mod supervisor;
mod watch;

use std::time::{Duration, Instant};

pub use host::{HostError, ReplacementPort, SupervisorHost};
pub use lan::LanConfig;
pub use state::ExitStatus;
pub use supervisor::{Config, Handle, Outcome, Request, Supervisor};

/// Makes this process the parent of everything below it that loses its own, so that
/// [`stop_descendants`] finds it.
///
/// # Errors
/// When the system refuses.
pub fn become_reaper() -> std::io::Result<()> {
    platform::reap_descendants()
}

/// Keeps this process's own streams from passing on to all that it starts, whatever streams those
/// are given. Only Windows needs that.
#[cfg(windows)]
pub fn disable_stream_inheritance() {
    platform::disable_stream_inheritance();
}

/// Ends everything below this process: asks first, and kills what is left after `grace`.
pub async fn stop_descendants(grace: Duration) {
    stop_orphans(grace, || false).await;
}

/// Ends what has fallen to this process: every child that is no keeper, with all that is below it.
/// Kills once the grace is over, or as soon as `hurry` says so.
pub(crate) async fn stop_orphans(grace: Duration, hurry: impl Fn() -> bool) {
    let deadline = Instant::now() + grace;
    let by_force = || hurry() || Instant::now() >= deadline;
    // Other services go on meanwhile, and may get new keepers.
    while !platform::stop_orphans(&keeper::keepers(), by_force()) {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// How often what is being ended is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Milliseconds since 1970-01-01 UTC, for records that people read.
pub fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
