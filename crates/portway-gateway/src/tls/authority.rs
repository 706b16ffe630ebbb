//! The local authority: whom this user's programs believe about names below `localhost`, and about
//! nothing else.
//!
//! Its root is what programs are told to trust. The root signs one intermediate, both constrained to
//! `localhost`, and then its key is gone: what is kept can never vouch for another name, whoever
//! gets hold of it. A root's constraints alone would not do, for some programs ignore them on roots
//! that were added by hand.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::files::{self, AuthorityError, Texts};
use super::{now, provider};
use crate::names::{DOMAIN, OWN};

/// How long the authority lasts.
const LIFE: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// How far back everything is valid, for a clock that was set back.
const BACK: Duration = Duration::from_secs(60 * 60);

/// The root's name in every store is this and the beginning of its key's digest.
const NAME: &str = "Portway local CA";

/// The authority with all that it takes to sign.
pub struct Authority {
    root: CertificateDer<'static>,
    root_id: String,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Authority").field(&self.name()).finish()
    }
}

impl Authority {
    /// Makes a new authority and writes it into `dir`, which must not be there yet; all of it is
    /// written or nothing. The root's key is never written.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn make(dir: &Path) -> Result<Self, AuthorityError> {
        let unmade = |error: rcgen::Error| AuthorityError::Unmade(error.to_string());
        let now = now();
        let root_key = KeyPair::generate().map_err(unmade)?;
        let key = KeyPair::generate().map_err(unmade)?;
        let root_params = root_params(&root_key, now);
        let root = root_params.self_signed(&root_key).map_err(unmade)?;
        let root = (root.pem(), Issuer::new(root_params, root_key));
        let intermediate = intermediate_params(&key, now);
        let intermediate = intermediate.signed_by(&key, &root.1).map_err(unmade)?;
        files::write(
            dir,
            &Texts {
                root: root.0,
                intermediate: intermediate.pem(),
                key: key.serialize_pem(),
            },
        )?;
        Self::read(dir)?.ok_or_else(|| AuthorityError::Unmade("it has vanished again".to_owned()))
    }

    /// Reads the authority that lies in `dir`; `None` when there is no such directory.
    ///
    /// # Errors
    /// When others may read the key, when a file is missing or broken, when they do not belong
    /// together, and when the authority has run out.
    pub fn read(dir: &Path) -> Result<Option<Self>, AuthorityError> {
        let Some(texts) = files::read(dir)? else {
            return Ok(None);
        };
        let broken = |name: &str, why: String| AuthorityError::Broken {
            file: dir.join(name),
            why,
        };
        let certificate = |name: &str, text: &str| {
            CertificateDer::from_pem_slice(text.as_bytes())
                .map_err(|error| broken(name, error.to_string()))
        };
        let root = certificate(files::ROOT, &texts.root)?;
        let intermediate = certificate(files::INTERMEDIATE, &texts.intermediate)?;
        let key = KeyPair::from_pem(&texts.key)
            .map_err(|error| broken(files::KEY, error.to_string()))?;
        let parsed = ParsedCertificate::try_from(&root)
            .map_err(|error| broken(files::ROOT, error.to_string()))?;
        let authority = Self {
            root_id: id(&parsed.subject_public_key_info()),
            root,
            intermediate,
            issuer: Issuer::new(intermediate_params(&key, now()), key),
        };
        authority.prove(now()).map_err(|error| match error {
            rustls::Error::InvalidCertificate(
                rustls::CertificateError::Expired
                | rustls::CertificateError::ExpiredContext { .. },
            ) => AuthorityError::Expired(dir.to_owned()),
            error => AuthorityError::Mismatch {
                dir: dir.to_owned(),
                why: error.to_string(),
            },
        })?;
        Ok(Some(authority))
    }

    /// The root's name, which no other root has.
    pub fn name(&self) -> String {
        format!("{NAME} {}", self.root_id)
    }

    /// The root's serial number, in hexadecimal digits.
    pub fn serial(&self) -> String {
        format!("{SERIAL:02x}{}", self.root_id)
    }

    /// The root's SHA-256 fingerprint, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.root)
    }

    /// A certificate for one name, and its chain. `names` are what it is for; programs refuse it
    /// where they are not below `localhost`.
    pub(super) fn sign(
        &self,
        name: SanType,
        now: Duration,
        life: Duration,
    ) -> Result<CertifiedKey, String> {
        let key = KeyPair::generate().map_err(|error| error.to_string())?;
        let mut params = CertificateParams::default();
        last(&mut params, now.saturating_sub(BACK), now + life);
        params.subject_alt_names = vec![name];
        params.distinguished_name = DistinguishedName::new();
        let organisation = DnType::OrganizationName;
        params.distinguished_name.push(organisation, "Portway");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(&key, &self.issuer);
        let signed = signed.map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = provider().key_provider.load_private_key(key);
        let chain = vec![signed.der().clone(), self.intermediate.clone()];
        Ok(CertifiedKey::new(
            chain,
            key.map_err(|error| error.to_string())?,
        ))
    }

    /// Does once what every handshake does: signs, and looks at it as a client does that trusts the
    /// root. So it is known that the files belong together and last.
    fn prove(&self, now: Duration) -> Result<(), rustls::Error> {
        let own = format!("{OWN}.{DOMAIN}");
        let general = |why: String| rustls::Error::General(why);
        let name = own.as_str().try_into();
        let name = SanType::DnsName(name.map_err(|error: rcgen::Error| general(error.to_string()))?);
        let signed = self.sign(name, now, BACK).map_err(general)?;
        let server = ServerName::try_from(own).map_err(|error| general(error.to_string()))?;
        self.verify(&signed, &server, now)
    }

    /// What a client says to a certificate that trusts the root and nothing else.
    pub(super) fn verify(
        &self,
        certificate: &CertifiedKey,
        server: &ServerName<'_>,
        now: Duration,
    ) -> Result<(), rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone())?;
        let client = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let [leaf, chain @ ..] = &certificate.cert[..] else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        let now = UnixTime::since_unix_epoch(now);
        client.verify_server_cert(leaf, chain, server, &[], now)?;
        Ok(())
    }
}

/// The SHA-256 fingerprint of a certificate, in hexadecimal digits.
pub fn fingerprint(der: &[u8]) -> String {
    hex(&Sha256::digest(der))
}

/// The fingerprint of the first certificate in a PEM text; `None` when there is none.
pub fn pem_fingerprint(text: &[u8]) -> Option<String> {
    let der = CertificateDer::from_pem_slice(text).ok()?;
    Some(fingerprint(&der))
}

/// The first byte of serial numbers: so they are positive, and as long as they look.
const SERIAL: u8 = 0x50;

/// The beginning of a public key's digest.
fn id(public_key: &[u8]) -> String {
    hex(&Sha256::digest(public_key)[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn root_params(key: &KeyPair, now: Duration) -> CertificateParams {
    params(NAME, key, 1, now)
}

fn intermediate_params(key: &KeyPair, now: Duration) -> CertificateParams {
    let mut params = params("Portway local issuer", key, 0, now);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

/// An authority below which there are `below` others, for names below `localhost` alone. All but
/// its time follows from its key, so that nothing has to be read out of its certificate.
fn params(name: &str, key: &KeyPair, below: u8, now: Duration) -> CertificateParams {
    let public_key = key.subject_public_key_info();
    let mut params = CertificateParams::default();
    last(&mut params, now.saturating_sub(BACK), now + LIFE);
    let serial: Vec<u8> = [SERIAL]
        .into_iter()
        .chain(Sha256::digest(&public_key)[..8].iter().copied())
        .collect();
    params.serial_number = Some(SerialNumber::from(serial));
    params.distinguished_name = DistinguishedName::new();
    let organisation = DnType::OrganizationName;
    params.distinguished_name.push(organisation, "Portway");
    let name = format!("{name} {}", id(&public_key));
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(DOMAIN.to_owned())],
        // A kind of name of which nothing is said is free.
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
        ],
    });
    params
}

/// From when to when it is valid, each as the time since 1970-01-01 UTC.
fn last(params: &mut CertificateParams, from: Duration, to: Duration) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + from;
    params.not_after = epoch + to;
}
