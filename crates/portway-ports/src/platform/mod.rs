//! The one interface behind which the systems differ.
//!
//! Each file offers the same names: `HOLD_FLIPS`, `facts`, `bind_exclusively`, `no_such_family`,
//! `anything_lives`, `listeners`, `owners`, `has_open`, `process`, `has_variable`, `descendants`.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
compile_error!("Portway runs on Linux so far; docs/platforms.md tells what the other systems need");
