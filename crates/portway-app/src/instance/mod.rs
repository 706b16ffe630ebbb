//! Starts, supervises, follows, lists and stops instances.

mod apply;
pub(crate) mod attach;
mod causes;
pub(crate) mod connection;
#[cfg(unix)]
mod console;
pub(crate) mod containers;
mod control;
mod follow;
mod host;
mod join;
mod list;
pub(crate) mod locate;
mod logs;
mod printer;
mod remember;
pub(crate) mod remnants;
pub(crate) mod response;
pub(crate) mod restore;
mod running;
pub(crate) mod snapshot;
mod sources;
pub(crate) mod stop;
mod supervise;
mod up;

pub use attach::{failure, last_lines, way_out};
#[cfg(unix)]
pub use console::{AttachOptions, ConsoleOutput, attach as attach_console};
pub use control::{Down, down, restart, wait};
pub use list::list;
pub use logs::{LogOptions, logs};
pub use response::on_wait;
pub use supervise::{COMMAND, SERVING, background};
pub use up::{dry_run, up};

pub(crate) use running::Running;
pub(crate) use supervise::command;
pub(crate) use up::check_processes;
