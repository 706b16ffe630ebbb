//! The one interface behind which the systems differ.
//!
//! For supervisors: `become_reaper`, `reap_descendants`, `stop_orphans`, `on_signals`, `HANGUP`,
//! `terminal_closed`, `own_binary`, `link` with `ReportReader`, `OrderWriter` and `send_order`,
//! `aside`, `pass_socket`; for the control socket `ControlListener`, `ControlStream`, `connect`, `serves`. What keepers
//! need differs by more than names: `keeper/unix.rs` and `keeper/windows.rs`.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

/// The number of the signal that says: the terminal is gone.
pub(crate) const HANGUP: i32 = 1;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
compile_error!("Portway runs on Linux, macOS and Windows; see docs/src/platforms.md");
