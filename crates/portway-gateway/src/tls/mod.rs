//! TLS for the names that the gateway serves, by an authority that can vouch for nothing else.
//!
//! ```text
//! authority ─► certificate per exact name ─► handshake ─► server
//!  (files)       (in memory, 30 days)
//! ```
//!
//! Which cryptography is used is decided in [`provider`] and nowhere else.

mod accept;
mod authority;
mod certificates;
mod files;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;

pub(crate) use accept::Tls;
pub use authority::{Authority, GeneratedAuthority, ROOT_NAME, find_roots};
pub use files::{AuthorityError, ROOT_FILE};

/// What all cryptography is done with.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The time since 1970-01-01 UTC.
fn now() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}
