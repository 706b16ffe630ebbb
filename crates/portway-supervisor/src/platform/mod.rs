//! The one interface behind which the systems differ.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
compile_error!("Portway runs on Linux so far; docs/platforms.md tells what the other systems need");
