//! HTTPS for the names that the gateway serves.
//!
//! ```text
//! authority ─► certificate per exact name ─► handshake ─► server
//!  (files)       (in memory, 30 days)
//! ```

mod accept;
mod authority;
mod certificates;
mod files;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;

pub(crate) use accept::TlsAcceptor;
pub use authority::{Authority, GeneratedAuthority, ROOT_NAME, find_roots};
pub use files::{AuthorityError, ROOT_FILE};

/// Returns the implementation of all cryptography in this crate.
fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Returns the time since 1970-01-01 UTC, or zero if the clock is set to an earlier time.
fn unix_time() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}
