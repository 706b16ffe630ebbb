//! A certificate for each name that leads somewhere, made when it is first asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::SanType;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Authority, now};
use crate::cache::{InstanceCache, InstanceSnapshot};
use crate::names::{DOMAIN, GATEWAY_LABEL};

/// How long a certificate lasts.
const LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long it is given out; the rest of its life is for connections that are open.
const USE: Duration = Duration::from_secs(15 * 24 * 60 * 60);

/// All certificates of a gateway. They are kept in memory alone: making one takes a moment.
#[derive(Debug)]
pub(super) struct Certificates {
    authority: Authority,
    cache: InstanceCache,
    minted: Mutex<HashMap<String, Minted>>,
}

#[derive(Debug)]
struct Minted {
    certificate: Arc<CertifiedKey>,
    at: Duration,
}

impl Certificates {
    pub(super) fn new(authority: Authority, cache: InstanceCache) -> Self {
        Self {
            authority,
            cache,
            minted: Mutex::default(),
        }
    }

    /// The certificate of `name`, which leads somewhere.
    fn of(&self, name: &str, now: Duration) -> Option<Arc<CertifiedKey>> {
        let mut minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes them new as well.
        minted.retain(|_, one| now.checked_sub(one.at).is_some_and(|age| age < USE));
        if let Some(known) = minted.get(name) {
            return Some(known.certificate.clone());
        }
        let san = SanType::DnsName(name.try_into().ok()?);
        let certificate = Arc::new(self.authority.sign(san, now, LIFE).ok()?);
        let new = Minted {
            certificate: certificate.clone(),
            at: now,
        };
        minted.insert(name.to_owned(), new);
        Some(certificate)
    }
}

impl ResolvesServerCert for Certificates {
    /// None for a name that leads nowhere, and for a client that names none: it is refused.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        if !leads(&self.cache.snapshot(), &name) {
            return None;
        }
        self.of(&name, now())
    }
}

/// Whether `name`, in lower case, leads anywhere.
pub(super) fn leads(snapshot: &InstanceSnapshot, name: &str) -> bool {
    let own = name
        .strip_suffix(DOMAIN)
        .and_then(|name| name.strip_suffix('.'));
    own == Some(GATEWAY_LABEL) || snapshot.names.find(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::GeneratedAuthority;
    use super::*;

    #[tokio::test]
    async fn a_certificate_is_used_again_until_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca");
        GeneratedAuthority::new().unwrap().write(&ca).unwrap();
        let authority = Authority::read(&ca).unwrap().unwrap();
        let cache = crate::InstanceCache::start(Arc::new(|| Ok(Vec::new())));
        let certificates = Certificates::new(authority, cache);
        let at = |seconds: u64| {
            let now = now() + Duration::from_secs(seconds);
            certificates.of("jobi.localhost", now).unwrap()
        };
        let first = at(0);
        assert!(Arc::ptr_eq(&first, &at(60)));
        assert!(Arc::ptr_eq(&first, &at(14 * 24 * 60 * 60)));
        let second = at(16 * 24 * 60 * 60);
        assert!(!Arc::ptr_eq(&first, &second));
        // No two are signed for one key: that would be one serial number twice.
        assert_ne!(first.cert[0], second.cert[0]);
        // The clock is set back.
        assert!(!Arc::ptr_eq(&second, &at(0)));
    }
}
