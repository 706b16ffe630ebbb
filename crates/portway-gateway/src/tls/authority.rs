//! The local certificate authority (CA), which can sign names below `localhost` only.
//!
//! Programs trust its root certificate. The root signs one intermediate, both are constrained to
//! `localhost`, and the root's key is then discarded. The intermediate's key can therefore never
//! sign another name, even if it is stolen. Constraints in the root alone are not sufficient:
//! some programs ignore them in manually added roots.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portway_api::TrustedRoot;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PublicKeyData, SanType, SerialNumber, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, InvalidDnsNameError, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use rustls::server::{ParsedCertificate, VerifierBuilderError};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::files::{self, AuthorityError, AuthorityFiles};
use super::{crypto_provider, unix_time};
use crate::names::{DOMAIN, GATEWAY_LABEL};

/// How long the authority is valid: 10 years.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// How far in the past certificates start to be valid, in case the clock is set back.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60 * 60);

/// The start of the root's name in certificate stores. A space and the id of its key follow.
pub const ROOT_NAME: &str = "Portway local CA";

/// The first byte of serial numbers. It makes them positive and gives them a fixed length.
const SERIAL_PREFIX: u8 = 0x50;

/// How many bytes of a public key's digest identify the key.
const KEY_ID_LENGTH: usize = 8;

/// The authority, with the key of its intermediate.
pub struct Authority {
    root: CertificateDer<'static>,
    root_identity: TrustedRoot,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    /// Omits the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.root_identity.name;
        f.debug_tuple("Authority").field(name).finish()
    }
}

/// A new authority that is not saved yet.
pub struct GeneratedAuthority {
    files: AuthorityFiles,
    root_identity: TrustedRoot,
}

impl std::fmt::Debug for GeneratedAuthority {
    /// Omits the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = &self.root_identity.name;
        f.debug_tuple("GeneratedAuthority").field(name).finish()
    }
}

impl GeneratedAuthority {
    /// Generates the keys and certificates of a new authority, and discards the root's key.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn new() -> Result<Self, AuthorityError> {
        Self::at(unix_time()).map_err(|source| AuthorityError::Generate(source.into()))
    }

    fn at(now: Duration) -> Result<Self, rcgen::Error> {
        let root_key = KeyPair::generate()?;
        let key = KeyPair::generate()?;
        let root_params = root_params(&root_key, now);
        let root = root_params.self_signed(&root_key)?;
        let root_identity = identify_root(&root_key.subject_public_key_info(), root.der());
        let issuer = Issuer::new(root_params, root_key);
        let intermediate = intermediate_params(&key, now).signed_by(&key, &issuer)?;
        Ok(Self {
            root_identity,
            files: AuthorityFiles {
                root: root.pem(),
                intermediate: intermediate.pem(),
                key: key.serialize_pem(),
            },
        })
    }

    /// Returns the identity of the root in certificate stores.
    pub fn root(&self) -> &TrustedRoot {
        &self.root_identity
    }

    /// Saves the authority in the new directory `dir`. Writes all files or none.
    ///
    /// # Errors
    /// If `dir` exists or a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), AuthorityError> {
        files::write(dir, &self.files)
    }
}

/// Why a certificate could not be signed.
#[derive(Debug, Error)]
pub(super) enum SignError {
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    #[error(transparent)]
    Key(rustls::Error),
}

/// Why an authority that was read cannot be used.
#[derive(Debug, Error)]
enum SelfCheckError {
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Name(#[from] InvalidDnsNameError),
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

/// Why a client that trusts the root rejects a certificate.
#[derive(Debug, Error)]
enum VerifyError {
    #[error(transparent)]
    Verifier(#[from] VerifierBuilderError),
    #[error(transparent)]
    Certificate(#[from] rustls::Error),
}

impl VerifyError {
    fn is_expired(&self) -> bool {
        use rustls::CertificateError::{Expired, ExpiredContext};
        matches!(
            self,
            Self::Certificate(rustls::Error::InvalidCertificate(
                Expired | ExpiredContext { .. }
            ))
        )
    }
}

impl Authority {
    /// Reads the authority in `dir`. Returns `None` if the directory does not exist.
    ///
    /// # Errors
    /// If other users have access to the key, a file is missing or invalid, the files belong to
    /// different authorities, or the authority has expired.
    pub fn read(dir: &Path) -> Result<Option<Self>, AuthorityError> {
        let Some(texts) = files::read(dir)? else {
            return Ok(None);
        };
        let (root, root_key) = parse_certificate(dir, files::ROOT_FILE, &texts.root)?;
        let (intermediate, _) =
            parse_certificate(dir, files::INTERMEDIATE_FILE, &texts.intermediate)?;
        let key = KeyPair::from_pem(&texts.key)
            .map_err(|source| AuthorityError::invalid(dir, files::KEY_FILE, source))?;
        let authority = Self {
            root_identity: identify_root(&root_key, &root),
            root,
            intermediate,
            issuer: Issuer::new(intermediate_params(&key, unix_time()), key),
        };
        authority.check(unix_time()).map_err(|error| match error {
            SelfCheckError::Verify(error) if error.is_expired() => {
                AuthorityError::Expired(dir.to_owned())
            }
            error => AuthorityError::Mismatch {
                dir: dir.to_owned(),
                source: error.into(),
            },
        })?;
        Ok(Some(authority))
    }

    /// Returns the identity of the root in certificate stores.
    pub fn root(&self) -> &TrustedRoot {
        &self.root_identity
    }

    /// Signs a certificate for one name, valid for `lifetime`, and returns it with its chain and a
    /// new key. Programs accept it only if the name is below `localhost`.
    pub(super) fn sign(
        &self,
        name: SanType,
        now: Duration,
        lifetime: Duration,
    ) -> Result<CertifiedKey, SignError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        set_validity(&mut params, now, lifetime);
        params.subject_alt_names = vec![name];
        params.distinguished_name = DistinguishedName::new();
        let organization = DnType::OrganizationName;
        params.distinguished_name.push(organization, "Portway");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(&key, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = crypto_provider().key_provider.load_private_key(key);
        let chain = vec![signed.der().clone(), self.intermediate.clone()];
        Ok(CertifiedKey::new(chain, key.map_err(SignError::Key)?))
    }

    /// Signs a certificate and verifies it as a client does. This proves that the files belong
    /// together and have not expired.
    fn check(&self, now: Duration) -> Result<(), SelfCheckError> {
        let own_name = format!("{GATEWAY_LABEL}.{DOMAIN}");
        let name = own_name.as_str().try_into().map_err(SignError::from)?;
        let signed = self.sign(SanType::DnsName(name), now, CLOCK_TOLERANCE)?;
        self.verify(&signed, &ServerName::try_from(own_name)?, now)?;
        Ok(())
    }

    /// Verifies a certificate as a client that trusts only this root.
    fn verify(
        &self,
        certificate: &CertifiedKey,
        server: &ServerName<'_>,
        now: Duration,
    ) -> Result<(), VerifyError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone())?;
        let provider = crypto_provider();
        let client =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        let [leaf, chain @ ..] = &certificate.cert[..] else {
            return Err(rustls::Error::NoCertificatesPresented.into());
        };
        let now = UnixTime::since_unix_epoch(now);
        client.verify_server_cert(leaf, chain, server, &[], now)?;
        Ok(())
    }
}

/// Parses the certificate file `name` in `dir`. Returns the certificate and its public key.
fn parse_certificate(
    dir: &Path,
    name: &str,
    text: &str,
) -> Result<(CertificateDer<'static>, Vec<u8>), AuthorityError> {
    let der = CertificateDer::from_pem_slice(text.as_bytes())
        .map_err(|source| AuthorityError::invalid(dir, name, source))?;
    let parsed = ParsedCertificate::try_from(&der)
        .map_err(|source| AuthorityError::invalid(dir, name, source))?;
    let public_key = parsed.subject_public_key_info().to_vec();
    Ok((der, public_key))
}

/// Returns Portway's roots among the certificates of a PEM text.
///
/// A root is Portway's if it contains the name that is derived from its own key. No other
/// certificate has such a name by chance.
pub fn find_roots(pem: &[u8]) -> Vec<TrustedRoot> {
    let certificates = CertificateDer::pem_slice_iter(pem).flatten();
    let roots = certificates.filter_map(|der| {
        let parsed = ParsedCertificate::try_from(&der).ok()?;
        let root = identify_root(&parsed.subject_public_key_info(), &der);
        let is_name = |part: &[u8]| part == root.name.as_bytes();
        der.windows(root.name.len()).any(is_name).then_some(root)
    });
    roots.collect()
}

/// Returns the identity of the root with this key and certificate.
fn identify_root(public_key: &[u8], der: &[u8]) -> TrustedRoot {
    let id = key_id(public_key);
    TrustedRoot {
        name: format!("{ROOT_NAME} {id}"),
        serial: format!("{SERIAL_PREFIX:02x}{id}"),
        fingerprint: hex(&Sha256::digest(der)),
    }
}

/// Returns the start of a public key's digest, in hexadecimal.
fn key_id(public_key: &[u8]) -> String {
    hex(&Sha256::digest(public_key)[..KEY_ID_LENGTH])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn root_params(key: &KeyPair, now: Duration) -> CertificateParams {
    authority_params(ROOT_NAME, key, 1, now)
}

fn intermediate_params(key: &KeyPair, now: Duration) -> CertificateParams {
    let mut params = authority_params("Portway local issuer", key, 0, now);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

/// Returns the parameters of an authority for names below `localhost`, with at most
/// `path_length` authorities below it.
///
/// Except for the validity, all values are derived from the key. An issuer can therefore be
/// rebuilt from its key without parsing its certificate.
fn authority_params(
    name: &str,
    key: &KeyPair,
    path_length: u8,
    now: Duration,
) -> CertificateParams {
    let public_key = key.subject_public_key_info();
    let mut params = CertificateParams::default();
    set_validity(&mut params, now, AUTHORITY_LIFETIME);
    let serial: Vec<u8> = [SERIAL_PREFIX]
        .into_iter()
        .chain(Sha256::digest(&public_key)[..KEY_ID_LENGTH].iter().copied())
        .collect();
    params.serial_number = Some(SerialNumber::from(serial));
    params.distinguished_name = DistinguishedName::new();
    let organization = DnType::OrganizationName;
    params.distinguished_name.push(organization, "Portway");
    let name = format!("{name} {}", key_id(&public_key));
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(DOMAIN.to_owned())],
        // Constraints apply per type of name, so IP addresses must be excluded explicitly.
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
        ],
    });
    params
}

/// Makes a certificate valid from [`CLOCK_TOLERANCE`] before `now` until `lifetime` after it.
fn set_validity(params: &mut CertificateParams, now: Duration, lifetime: Duration) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(CLOCK_TOLERANCE);
    params.not_after = epoch + (now + lifetime);
}
