//! The local network: this machine's addresses, forwarding to loopback, and mDNS with DNS-SD
//! (RFC 6762, RFC 6763).
//!
//! The caller decides what is published. A supervisor forwards connections ([`Forwarder`]) and sends
//! the list of its services to the [`announcer`], a separate process. The announcer runs until its
//! standard input ends, also when the supervisor is killed, and then withdraws everything.
//! Otherwise the records would remain in caches for 75 minutes.

mod addresses;
mod announcement;
pub mod announcer;
mod browse;
mod forward;
mod host;
mod platform;

pub use addresses::local_addresses;
pub use announcement::Announcement;
pub use browse::{MdnsError, browse};
pub use forward::{Forward, Forwarder};
pub use host::host_name;

/// The DNS-SD type of the announced services.
const SERVICE_TYPE: &str = "_http._tcp.local.";
