//! The one interface behind which the systems differ.
//!
//! Each file offers the same names. For ports: `HOLD_FLIPS`, `PASSES_TIME_WAIT`, `facts`,
//! `bind_exclusively`, `bind_beside`, `no_such_family`, `anything_lives`, `listeners`, `bound`,
//! `user_of_connection`, `owners`, `owners_among`, `has_open`. For processes: `process`, `pids`,
//! `descendants`, `tree`, `started_at`, `variable`, `container`, `own_user`, `user_name`, `usage`,
//! `ask_to_end`, `kill`, and on Unix `send_signal`. What Linux and macOS share lies in `unix.rs`.

#[cfg(not(target_os = "linux"))]
mod by_pid;

#[cfg(not(target_os = "linux"))]
mod unasked;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
compile_error!("Portway runs on Linux, macOS and Windows; see docs/src/platforms.md");
