//! The one interface behind which the systems differ.
//!
//! Each file offers the same names. For ports: `HOLD_FLIPS`, `facts`, `bind_exclusively`,
//! `no_such_family`, `anything_lives`, `listeners`, `bound`, `owners`, `has_open`. For processes:
//! `process`, `pids`, `descendants`, `started_at`, `variable`, `container`,
//! `own_user`, `user_name`, `ask_to_end`, `kill`, and on Unix `send_signal`.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
compile_error!("Portway runs on Linux so far; docs/platforms.md tells what the other systems need");
