//! The local network: which addresses belong to it, serving there what listens on loopback, and
//! telling its other machines by mDNS and DNS-SD (RFC 6762, RFC 6763).
//!
//! # Theory of operation
//!
//! ```text
//! phone ──► 192.168.1.5:5173 ── forward (in the supervisor) ──► 127.0.0.1:5173, the service
//!   ▲
//!   └ `_http._tcp` ── herald (a process of its own)
//! ```
//!
//! A supervisor serves ([`Forwarder`]) and says what there is to announce; the *herald*
//! ([`herald`]), the same binary executed again, announces it. It lives until its standard input
//! ends, which it also does when the supervisor is killed, and then withdraws everything: so that
//! nobody has to wait until the records, which live 75 minutes, have expired.

mod addresses;
mod announcement;
mod browse;
mod forward;
pub mod herald;
mod host;
mod platform;

pub use addresses::addresses;
pub use announcement::Announcement;
pub use browse::browse;
pub use forward::{Forward, Forwarder};
pub use host::host;

/// What is browsed for and announced: pages, wherever they come from.
const TYPE: &str = "_http._tcp.local.";
