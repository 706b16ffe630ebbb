//! Issues a certificate for each served name when it is first requested.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::SanType;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Authority, unix_time};
use crate::cache::{InstanceCache, InstanceSnapshot};
use crate::names::{DOMAIN, GATEWAY_LABEL};

/// How long a certificate is valid: 30 days.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a certificate is used for new connections: 15 days. Open connections can use it for the
/// rest of its lifetime.
const MAX_AGE: Duration = Duration::from_secs(15 * 24 * 60 * 60);

/// The certificates of a gateway. They are kept in memory only, because issuing one is fast.
#[derive(Debug)]
pub(super) struct Certificates {
    authority: Authority,
    cache: InstanceCache,
    issued: Mutex<HashMap<String, IssuedCertificate>>,
}

#[derive(Debug)]
struct IssuedCertificate {
    certificate: Arc<CertifiedKey>,
    /// When it was issued, as the time since 1970-01-01 UTC.
    issued_at: Duration,
}

impl Certificates {
    pub(super) fn new(authority: Authority, cache: InstanceCache) -> Self {
        Self {
            authority,
            cache,
            issued: Mutex::default(),
        }
    }

    /// Returns the certificate of a served name. `None` if it cannot be issued.
    fn get_or_issue(&self, name: &str, now: Duration) -> Option<Arc<CertifiedKey>> {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        // Certificates from the future are dropped as well: the clock was set back.
        issued.retain(|_, one| {
            let age = now.checked_sub(one.issued_at);
            age.is_some_and(|age| age < MAX_AGE)
        });
        if let Some(found) = issued.get(name) {
            return Some(found.certificate.clone());
        }
        let san = SanType::DnsName(name.try_into().ok()?);
        let certificate = Arc::new(self.authority.sign(san, now, LIFETIME).ok()?);
        let entry = IssuedCertificate {
            certificate: certificate.clone(),
            issued_at: now,
        };
        issued.insert(name.to_owned(), entry);
        Some(certificate)
    }
}

impl ResolvesServerCert for Certificates {
    /// Returns `None`, which rejects the handshake, if the client sends no name or one that is not
    /// served.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        if !is_served(&self.cache.snapshot(), &name) {
            return None;
        }
        self.get_or_issue(&name, unix_time())
    }
}

/// Whether the gateway serves `name`, which is in lower case.
pub(super) fn is_served(snapshot: &InstanceSnapshot, name: &str) -> bool {
    let subdomain = name
        .strip_suffix(DOMAIN)
        .and_then(|name| name.strip_suffix('.'));
    subdomain == Some(GATEWAY_LABEL) || snapshot.names.resolve(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::GeneratedAuthority;
    use super::*;

    #[tokio::test]
    async fn reuses_a_certificate_until_it_is_old() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca");
        GeneratedAuthority::new().unwrap().write(&ca).unwrap();
        let authority = Authority::read(&ca).unwrap().unwrap();
        let cache = InstanceCache::start(Arc::new(|| Ok(Vec::new())));
        let certificates = Certificates::new(authority, cache);
        let certificate_after = |seconds: u64| {
            let now = unix_time() + Duration::from_secs(seconds);
            certificates.get_or_issue("jobi.localhost", now).unwrap()
        };
        let first = certificate_after(0);
        assert!(Arc::ptr_eq(&first, &certificate_after(60)));
        assert!(Arc::ptr_eq(&first, &certificate_after(14 * 24 * 60 * 60)));
        let second = certificate_after(16 * 24 * 60 * 60);
        assert!(!Arc::ptr_eq(&first, &second));
        // A shared key would also mean a shared serial number.
        assert_ne!(first.cert[0], second.cert[0]);
        // The clock is set back.
        assert!(!Arc::ptr_eq(&second, &certificate_after(0)));
    }
}
