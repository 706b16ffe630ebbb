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
//! ```no_run
//! # #[cfg(target_os = "linux")] {
//! use std::net::TcpListener;
//! use std::process::Command;
//!
//! use portway_isolation::{Network, NetworkConfig, capability};
//!
//! // `main` of this program calls `run_helper` if its first argument is `COMMAND`.
//! let program = std::env::current_exe()?;
//! let network = Network::create(NetworkConfig::new(program, capability().outbound))?;
//! let listener = TcpListener::bind("127.0.0.1:9000")?;
//! let forward = network.forward_tcp(listener, 5000)?;
//! let mut server = Command::new("./server-that-binds-5000");
//! network.namespace().enter(&mut server)?;
//! server.status()?;
//! # drop(forward);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate knows neither services nor manifests. On macOS and Windows, [`capability`] reports an
//! obstacle, and every other function fails with [`std::io::ErrorKind::Unsupported`].

mod capability;
mod network;
mod outbound;
mod platform;

pub use capability::{Attempt, Capability, Facts, Obstacle, Step, capability, evaluate};
pub use network::{
    COMMAND, Forward, Network, NetworkConfig, NetworkError, Spawn, listening_sockets, run_helper,
};
pub use outbound::{Outbound, OutboundKind};
pub use platform::Namespace;
