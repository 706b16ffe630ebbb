//! A network of its own for the processes of an instance, on Linux.
//!
//! A [`Network`] is a network namespace with its own loopback addresses, so every program inside can
//! use its usual port. Portway keeps listening sockets outside, and [`Network::forward_tcp`] passes
//! their connections to a port inside. No port of the machine is bound for that: a helper process
//! inside creates sockets and sends them to this process by `SCM_RIGHTS`, because a socket belongs to
//! the namespace in which it was created.
//!
//! | process | where | ends |
//! | --- | --- | --- |
//! | the creator, with a thread for the relay | outside | |
//! | the helper ([`COMMAND`]), which creates sockets | inside | when the creator's socket closes |
//! | `slirp4netns` or `pasta`, the way out to other machines | outside | with the creator |
//!
//! The namespace itself lives as long as a process is inside or a [`Namespace`] is open.
//!
//! Limits inside: Unix sockets with abstract names are separate (X11, D-Bus), and unless root created the
//! namespace, programs that change the user (`sudo`) do not work.
//!
//! This crate knows neither services nor manifests. On macOS and Windows, [`capability`] reports an
//! obstacle, and every other function fails with [`std::io::ErrorKind::Unsupported`].

mod capability;
mod network;
mod outbound;
mod platform;

pub use capability::{Attempt, Capability, Facts, Obstacle, Step, capability, evaluate};
pub use network::{COMMAND, Forward, Network, NetworkConfig, NetworkError, Spawn, run_helper};
pub use outbound::{Outbound, OutboundKind};
pub use platform::Namespace;
