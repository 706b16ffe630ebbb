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
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use super::files::{self, AuthorityError, Texts};
use super::{now, provider};
use crate::names::{DOMAIN, GATEWAY_LABEL};

/// How long the authority lasts.
const LIFE: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// How far back everything is valid, for a clock that was set back.
const BACK: Duration = Duration::from_secs(60 * 60);

/// The root's name in every store is this, a space, and 16 hexadecimal digits: the beginning of its
/// key's digest.
pub const ROOT_NAME: &str = "Portway local CA";

/// The authority with all that it takes to sign.
pub struct Authority {
    root: CertificateDer<'static>,
    told: TrustedRoot,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Authority {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Authority").field(&self.told.name).finish()
    }
}

/// A new authority that is not written yet.
pub struct GeneratedAuthority {
    texts: Texts,
    root: TrustedRoot,
}

impl std::fmt::Debug for GeneratedAuthority {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("GeneratedAuthority")
            .field(&self.root.name)
            .finish()
    }
}

impl GeneratedAuthority {
    /// Makes the keys and certificates of a new authority. The root's key ends in here.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub fn new() -> Result<Self, AuthorityError> {
        Self::at(now()).map_err(|error| AuthorityError::Generate(error.to_string()))
    }

    fn at(now: Duration) -> Result<Self, rcgen::Error> {
        let root_key = KeyPair::generate()?;
        let key = KeyPair::generate()?;
        let root_params = root_params(&root_key, now);
        let root = root_params.self_signed(&root_key)?;
        let told = told(&root_key.subject_public_key_info(), root.der());
        let issuer = Issuer::new(root_params, root_key);
        let intermediate = intermediate_params(&key, now).signed_by(&key, &issuer)?;
        Ok(Self {
            root: told,
            texts: Texts {
                root: root.pem(),
                intermediate: intermediate.pem(),
                key: key.serialize_pem(),
            },
        })
    }

    /// The root as stores know it.
    pub fn root(&self) -> &TrustedRoot {
        &self.root
    }

    /// Writes the authority into `dir`, which must not be there yet: all of it or nothing.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), AuthorityError> {
        files::write(dir, &self.texts)
    }
}

impl Authority {
    /// Reads the authority that lies in `dir`; `None` when there is no such directory.
    ///
    /// # Errors
    /// When others may read the key, when a file is missing or broken, when they do not belong
    /// together, and when the authority has run out.
    pub fn read(dir: &Path) -> Result<Option<Self>, AuthorityError> {
        let Some(texts) = files::read(dir)? else {
            return Ok(None);
        };
        let broken = |name: &str, why: String| AuthorityError::Invalid {
            file: dir.join(name),
            why,
        };
        let certificate = |name: &str, text: &str| {
            let der = CertificateDer::from_pem_slice(text.as_bytes())
                .map_err(|error| broken(name, error.to_string()))?;
            let parsed = ParsedCertificate::try_from(&der)
                .map_err(|error| broken(name, error.to_string()))?;
            let public_key = parsed.subject_public_key_info();
            Ok::<_, AuthorityError>((der, public_key))
        };
        let (root, root_key) = certificate(files::ROOT_FILE, &texts.root)?;
        let (intermediate, _) = certificate(files::INTERMEDIATE, &texts.intermediate)?;
        let key =
            KeyPair::from_pem(&texts.key).map_err(|error| broken(files::KEY, error.to_string()))?;
        let authority = Self {
            told: told(&root_key, &root),
            root,
            intermediate,
            issuer: Issuer::new(intermediate_params(&key, now()), key),
        };
        authority.prove(now()).map_err(|error| match error {
            rustls::Error::InvalidCertificate(
                rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. },
            ) => AuthorityError::Expired(dir.to_owned()),
            error => AuthorityError::Mismatch {
                dir: dir.to_owned(),
                why: error.to_string(),
            },
        })?;
        Ok(Some(authority))
    }

    /// The root as stores know it.
    pub fn root(&self) -> &TrustedRoot {
        &self.told
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
        let own = format!("{GATEWAY_LABEL}.{DOMAIN}");
        let general = |why: String| rustls::Error::General(why);
        let name = own.as_str().try_into();
        let name =
            SanType::DnsName(name.map_err(|error: rcgen::Error| general(error.to_string()))?);
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

/// Portway's roots among the certificates of a PEM text. One is Portway's when it bears the name
/// that follows from its own key, which nobody gives another certificate by chance.
pub fn find_roots(pem: &[u8]) -> Vec<TrustedRoot> {
    let certificates = CertificateDer::pem_slice_iter(pem).flatten();
    let known = certificates.filter_map(|der| {
        let public_key = ParsedCertificate::try_from(&der).ok()?;
        let root = told(&public_key.subject_public_key_info(), &der);
        let bears = |part: &[u8]| part == root.name.as_bytes();
        der.windows(root.name.len()).any(bears).then_some(root)
    });
    known.collect()
}

/// How stores know the root with this key and certificate.
fn told(public_key: &[u8], der: &[u8]) -> TrustedRoot {
    let id = id(public_key);
    TrustedRoot {
        name: format!("{ROOT_NAME} {id}"),
        serial: format!("{SERIAL:02x}{id}"),
        fingerprint: hex(&Sha256::digest(der)),
    }
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
    params(ROOT_NAME, key, 1, now)
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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use rustls::CertificateError::{Expired, ExpiredContext};
    use rustls::Error::InvalidCertificate;

    use super::*;

    fn made() -> (tempfile::TempDir, Authority) {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("gateway/ca");
        let draft = GeneratedAuthority::new().unwrap();
        draft.write(&ca).unwrap();
        let authority = Authority::read(&ca).unwrap().unwrap();
        assert_eq!(authority.root(), draft.root());
        (dir, authority)
    }

    fn named(name: &str) -> SanType {
        SanType::DnsName(name.try_into().unwrap())
    }

    /// What a client that trusts the root says to a certificate for `name` on a server that it
    /// reached by that name.
    fn client(authority: &Authority, name: SanType, server: &str) -> Result<(), rustls::Error> {
        let certificate = authority.sign(name, now(), LIFE).unwrap();
        let server = ServerName::try_from(server).unwrap();
        authority.verify(&certificate, &server, now())
    }

    #[test]
    fn it_vouches_for_names_below_localhost() {
        let (_dir, authority) = made();
        for name in [
            "jobi.localhost",
            "api.fix-login.jobi.localhost",
            "localhost",
        ] {
            client(&authority, named(name), name).unwrap();
        }
    }

    #[test]
    fn it_can_vouch_for_nothing_else() {
        let (_dir, authority) = made();
        for name in [
            "evil.example.com",
            "localhost.evil.example",
            "notlocalhost",
            "jobi.local",
        ] {
            let said = client(&authority, named(name), name).unwrap_err();
            let said = said.to_string();
            assert!(said.contains("NameConstraintViolation"), "{name}: {said}");
        }
        for address in [
            IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ] {
            let server = address.to_string();
            let said = client(&authority, SanType::IpAddress(address), &server).unwrap_err();
            let said = said.to_string();
            assert!(said.contains("NameConstraintViolation"), "{server}: {said}");
        }
    }

    #[test]
    fn it_makes_no_authorities() {
        let (_dir, authority) = made();
        let key = KeyPair::generate().unwrap();
        let params = intermediate_params(&key, now());
        let below = params.signed_by(&key, &authority.issuer).unwrap();
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = vec![named("jobi.localhost")];
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
        let known = authority.sign(named("x.localhost"), now(), LIFE).unwrap();
        let chain = vec![
            leaf.der().clone(),
            below.der().clone(),
            authority.intermediate.clone(),
        ];
        let server = ServerName::try_from("jobi.localhost").unwrap();
        let forged = CertifiedKey::new(chain, known.key.clone());
        assert!(authority.verify(&forged, &server, now()).is_err());
    }

    #[test]
    fn a_certificate_ends() {
        let (_dir, authority) = made();
        let name = || named("jobi.localhost");
        let server = ServerName::try_from("jobi.localhost").unwrap();
        let life = Duration::from_secs(60);
        let certificate = authority.sign(name(), now(), life).unwrap();
        authority.verify(&certificate, &server, now()).unwrap();
        let later = now() + 2 * life;
        let said = authority.verify(&certificate, &server, later).unwrap_err();
        assert!(
            matches!(said, InvalidCertificate(Expired | ExpiredContext { .. })),
            "{said}"
        );
    }

    #[test]
    fn no_two_are_alike() {
        let (a, b) = (
            GeneratedAuthority::new().unwrap(),
            GeneratedAuthority::new().unwrap(),
        );
        assert_ne!(a.root().name, b.root().name);
        assert_ne!(a.root().serial, b.root().serial);
        assert_ne!(a.root().fingerprint, b.root().fingerprint);
    }

    #[test]
    fn a_root_is_known_by_the_name_that_follows_from_its_key() {
        let (a, b) = (
            GeneratedAuthority::new().unwrap(),
            GeneratedAuthority::new().unwrap(),
        );
        // One of another's that has a name of this kind.
        let key = KeyPair::generate().unwrap();
        let mut params = root_params(&key, now());
        params
            .distinguished_name
            .push(DnType::CommonName, &a.root.name);
        let alike = params.self_signed(&key).unwrap().pem();
        let texts = [
            &a.texts.root,
            &a.texts.intermediate,
            &alike,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &b.texts.root,
        ];
        let found = find_roots(texts.concat().as_bytes());
        assert_eq!(found, [a.root().clone(), b.root().clone()]);
        assert_eq!(find_roots(b"nothing"), []);
    }

    #[test]
    fn there_is_none_where_none_was_made() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Authority::read(&dir.path().join("ca")).unwrap().is_none());
    }

    #[test]
    fn one_that_has_run_out_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca");
        let long_ago = now() - LIFE - Duration::from_secs(60);
        GeneratedAuthority::at(long_ago)
            .unwrap()
            .write(&ca)
            .unwrap();
        let said = Authority::read(&ca).unwrap_err();
        assert!(matches!(said, AuthorityError::Expired(_)), "{said}");
    }

    #[test]
    fn files_that_do_not_belong_together_are_an_error() {
        let (dir, _) = made();
        let (other, _) = made();
        let of = |dir: &tempfile::TempDir, name: &str| dir.path().join("gateway/ca").join(name);
        for name in [files::KEY, files::INTERMEDIATE, files::ROOT_FILE] {
            let own = std::fs::read(of(&dir, name)).unwrap();
            std::fs::copy(of(&other, name), of(&dir, name)).unwrap();
            let said = Authority::read(&dir.path().join("gateway/ca")).unwrap_err();
            assert!(matches!(said, AuthorityError::Mismatch { .. }), "{said}");
            for broken in [
                &b""[..],
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            ] {
                std::fs::write(of(&dir, name), broken).unwrap();
                let said = Authority::read(&dir.path().join("gateway/ca")).unwrap_err();
                assert!(said.to_string().contains(name), "{said}");
            }
            std::fs::write(of(&dir, name), own).unwrap();
        }
        std::fs::remove_file(of(&dir, files::KEY)).unwrap();
        let said = Authority::read(&dir.path().join("gateway/ca")).unwrap_err();
        assert!(said.to_string().contains(files::KEY), "{said}");
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_this_users_alone() {
        use std::fs::{metadata, set_permissions};
        use std::os::unix::fs::PermissionsExt;
        let (dir, _) = made();
        let ca = dir.path().join("gateway/ca");
        let names = std::fs::read_dir(&ca).unwrap();
        let mut modes: Vec<(String, u32)> = names
            .map(|entry| {
                let entry = entry.unwrap();
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                (entry.file_name().into_string().unwrap(), mode)
            })
            .collect();
        modes.sort();
        assert_eq!(
            modes,
            [
                ("intermediate.key".to_owned(), 0o600),
                ("intermediate.pem".to_owned(), 0o644),
                ("root.pem".to_owned(), 0o644),
            ]
        );
        assert_eq!(metadata(&ca).unwrap().permissions().mode() & 0o777, 0o700);
        for (file, mode, back) in [
            (ca.join(files::KEY), 0o640, 0o600),
            (ca.clone(), 0o750, 0o700),
        ] {
            set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            let said = Authority::read(&ca).unwrap_err();
            assert!(matches!(said, AuthorityError::Permissions { .. }), "{said}");
            set_permissions(&file, PermissionsExt::from_mode(back)).unwrap();
        }
        assert!(Authority::read(&ca).unwrap().is_some());
    }

    #[test]
    fn what_is_there_is_not_written_over() {
        let (dir, authority) = made();
        let ca = dir.path().join("gateway/ca");
        GeneratedAuthority::new().unwrap().write(&ca).unwrap_err();
        let now = Authority::read(&ca).unwrap().unwrap();
        assert_eq!(now.root(), authority.root());
    }
}
