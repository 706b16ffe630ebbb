//! Hold TCP and UDP ports, choose free ones, and find out which process listens on a port.
//!
//! Checking whether a port is free proves nothing: another process can take it before your server
//! binds it. This crate *holds* the port instead. A [`Hold`] keeps bound sockets that never listen,
//! and lets a server bind on top of them.
//!
//! ```
//! use std::net::{TcpListener, TcpStream};
//!
//! use portway_ports::{Hold, owners};
//!
//! let hold = Hold::any()?;
//! // From here a server that sets `SO_REUSEADDR` can bind the port, as servers usually do.
//! hold.soften()?;
//! let server = TcpListener::bind(("127.0.0.1", hold.port()))?;
//!
//! assert!(TcpStream::connect(server.local_addr()?).is_ok());
//! let owner = owners(hold.port())?.remove(0);
//! assert_eq!(owner.process.map(|process| process.id.pid), Some(std::process::id()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`PortPolicy`] defines which ports should not be assigned automatically, such as those that
//! browsers block or that the kernel assigns to outgoing connections:
//!
//! ```
//! use portway_ports::{Hold, PortPolicy, PortRange};
//!
//! let range: PortRange = "21000-21999".parse()?;
//! let hold = Hold::in_range(range, &PortPolicy::read()?)?;
//! assert!(range.contains(hold.port()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # States of a hold
//!
//! | state | set by | for |
//! | --- | --- | --- |
//! | hard | [`Hold::acquire`], [`Hold::harden`] | the time without a server |
//! | soft | [`Hold::soften`], [`Hold::join`] | the start of a server that sets `SO_REUSEADDR` |
//! | settled | [`Hold::settle`] | the time in which the server listens |
//! | released | [`Hold::release`] | the start of a server that does not set `SO_REUSEADDR` |
//!
//! What each state guarantees:
//!
//! | state | Linux | macOS | Windows |
//! | --- | --- | --- | --- |
//! | hard | no process can bind the port, on any address and with any option | no process can bind the port, except on a single address with `SO_REUSEADDR` | no process can bind the port (`SO_EXCLUSIVEADDRUSE`) |
//! | soft | only sockets with `SO_REUSEADDR` can bind the port | none: the sockets are closed | none: the sockets are closed |
//! | settled | as soft in the families in which the server listens, as hard in the other | none, except that the server's own socket excludes others on its address | as on macOS |
//! | released | none | none | none |
//!
//! In every state in which a hold has sockets, on every system:
//!
//! - the kernel does not choose the port for another socket,
//! - a client that connects is refused immediately unless a server listens, because the sockets of
//!   a hold never listen.
//!
//! A hold of a UDP port ([`Hold::acquire_for`]) has no soft state on any system, because few UDP
//! servers set `SO_REUSEADDR`: its sockets are closed while a server starts. While the server has
//! its socket, the hold is settled on Linux.
//!
//! Connections in TIME_WAIT do not prevent [`Hold::acquire`]. If several processes acquire such a
//! port at the same time, one of them succeeds.
//!
//! Even a soft hold on Linux admits any process that sets `SO_REUSEADDR` and requests exactly this
//! port. To be certain that your server has it, compare the pids of [`owners`] with your server's
//! process tree.
//!
//! The statements for Linux are tested (`tests/hold.rs`). Those for macOS and Windows follow the
//! documentation of these systems and were not tested on real machines.

mod connection;
mod families;
mod hold;
mod listener;
mod localhost;
#[cfg(target_os = "linux")]
mod namespace;
mod parse;
mod platform;
mod policy;
mod process;
mod protocol;
mod range;
mod ranges;

pub use connection::ConnectionUsers;
pub use families::Families;
pub use hold::{Hold, HoldError};
pub use listener::{
    Listener, PortOwner, all_listeners, all_owners, bound_owners, find_owner, hides_sockets,
    is_used_by_other_user, listeners, owners, owners_among, owners_of, owners_of_sockets,
    udp_sockets,
};
pub use localhost::LocalhostSockets;
#[cfg(target_os = "linux")]
pub use namespace::NamespaceSockets;
pub use policy::{Exclusion, PortPolicy};
pub use process::{Process, ProcessId};
pub use protocol::Protocol;
pub use range::{PortRange, RangeError};
pub use ranges::{PortRanges, RangesError};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
