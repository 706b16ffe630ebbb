//! The functions that differ between operating systems.
//!
//! Supervisor: `become_reaper`, `reap_descendants`, `stop_orphans`, `on_signal`, `terminal_closed`,
//! `own_binary`, `hang_up_with`, `remove_variable`, `raise_open_files_limit`, `restore_open_files_limit`. Keepers: `connect_keeper`,
//! `ReportReader`, `CommandWriter`, `send_command`, `pass_socket`, `detach_from_console`. Control
//! socket: `ControlListener`, `connect`, `server_pid`, `is_served`. Probes: `connect_unix`.
//! The keepers themselves differ more: see `keeper/unix.rs` and `keeper/windows.rs`.

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

#[cfg(not(target_os = "linux"))]
mod no_cgroup;
#[cfg(not(target_os = "linux"))]
pub(crate) use no_cgroup::*;

/// The number of the signal that Ctrl-C sends.
pub(crate) const SIGINT: i32 = 2;

/// The number of the signal that reports a closed terminal.
pub(crate) const SIGHUP: i32 = 1;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
compile_error!("Portway runs on Linux, macOS and Windows; see docs/src/platforms.md");
