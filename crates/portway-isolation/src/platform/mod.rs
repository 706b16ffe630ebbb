//! The functions and types that differ between operating systems: `facts`, `find_outbound`,
//! `listening_sockets`, `run_helper`, `Namespace`, `Network` and `Forward`.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::Namespace;
#[cfg(target_os = "linux")]
pub(crate) use linux::{Forward, Network, facts, find_outbound, listening_sockets, run_helper};

#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(not(target_os = "linux"))]
pub use unsupported::Namespace;
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::{
    Forward, Network, facts, find_outbound, listening_sockets, run_helper,
};
