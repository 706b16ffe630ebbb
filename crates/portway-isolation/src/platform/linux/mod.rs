//! Linux: namespaces, the helper inside, the relay, and the program for the way out.

mod control;
mod facts;
mod helper;
mod namespace;
mod network;
mod relay;
mod setup;
mod sockets;
mod start;

pub(crate) use facts::{find_outbound, read as facts};
pub(crate) use helper::run as run_helper;
pub use namespace::Namespace;
pub(crate) use network::{Forward, Network};
pub(crate) use sockets::listening_sockets;
