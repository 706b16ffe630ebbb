//! The functions that differ between operating systems. Each system's module has the same names:
//!
//! - holds: `SOFT_HOLD_KEEPS_SOCKETS`, `REUSE_PASSES_TIME_WAIT`, `set_exclusive`,
//!   `prepare_server_socket`, `is_unsupported_family`, `has_active_sockets`;
//! - sockets: `listeners`, `udp_sockets`, `bound`, `socket_owners`, `socket_owners_among`, `has_open`,
//!   `hides_sockets`, `own_user`, `ConnectionUsers`, `LocalhostSockets`;
//! - the rest: `policy`, `process`, `process_id`, `started_at`.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod details;
#[cfg(not(target_os = "linux"))]
mod owner_pid;
#[cfg(not(target_os = "linux"))]
mod unsupported;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
compile_error!("portway-ports supports Linux, macOS and Windows");
