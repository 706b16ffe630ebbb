use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;

fn saved_authority() -> (tempfile::TempDir, Authority) {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("gateway/ca");
    let generated = GeneratedAuthority::new().unwrap();
    generated.write(&ca).unwrap();
    let authority = Authority::read(&ca).unwrap().unwrap();
    assert_eq!(authority.root(), generated.root());
    (dir, authority)
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// Signs a certificate for `name` and verifies it as a client that connects to `server`.
fn sign_and_verify(authority: &Authority, name: SanType, server: &str) -> Result<(), VerifyError> {
    let certificate = authority
        .sign(name, unix_time(), AUTHORITY_LIFETIME)
        .unwrap();
    let server = ServerName::try_from(server).unwrap();
    authority.verify(&certificate, &server, unix_time())
}

fn assert_violates_constraints(error: &VerifyError) {
    let text = error.to_string();
    assert!(text.contains("NameConstraintViolation"), "{text}");
}

#[test]
fn signs_names_below_localhost() {
    let (_dir, authority) = saved_authority();
    for name in [
        "jobi.localhost",
        "api.fix-login.jobi.localhost",
        "localhost",
    ] {
        sign_and_verify(&authority, dns(name), name).unwrap();
    }
}

#[test]
fn signs_no_other_names() {
    let (_dir, authority) = saved_authority();
    for name in [
        "evil.example.com",
        "localhost.evil.example",
        "notlocalhost",
        "jobi.local",
    ] {
        let error = sign_and_verify(&authority, dns(name), name).unwrap_err();
        assert_violates_constraints(&error);
    }
    for address in [
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        let server = address.to_string();
        let name = SanType::IpAddress(address);
        let error = sign_and_verify(&authority, name, &server).unwrap_err();
        assert_violates_constraints(&error);
    }
}

#[test]
fn signs_no_authorities() {
    let (_dir, authority) = saved_authority();
    let key = KeyPair::generate().unwrap();
    let params = intermediate_params(&key, unix_time());
    let below = params.signed_by(&key, &authority.issuer).unwrap();
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = vec![dns("jobi.localhost")];
    let issuer = Issuer::new(params, key);
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let valid = authority
        .sign(dns("x.localhost"), unix_time(), AUTHORITY_LIFETIME)
        .unwrap();
    let chain = vec![
        leaf.der().clone(),
        below.der().clone(),
        authority.intermediate.clone(),
    ];
    let server = ServerName::try_from("jobi.localhost").unwrap();
    let forged = CertifiedKey::new(chain, valid.key.clone());
    assert!(authority.verify(&forged, &server, unix_time()).is_err());
}

#[test]
fn certificates_expire() {
    let (_dir, authority) = saved_authority();
    let name = || dns("jobi.localhost");
    let server = ServerName::try_from("jobi.localhost").unwrap();
    let lifetime = Duration::from_secs(60);
    let certificate = authority.sign(name(), unix_time(), lifetime).unwrap();
    authority
        .verify(&certificate, &server, unix_time())
        .unwrap();
    let later = unix_time() + 2 * lifetime;
    let error = authority.verify(&certificate, &server, later).unwrap_err();
    assert!(error.is_expired(), "{error}");
}

#[test]
fn each_authority_is_unique() {
    let (a, b) = (
        GeneratedAuthority::new().unwrap(),
        GeneratedAuthority::new().unwrap(),
    );
    assert_ne!(a.root().name, b.root().name);
    assert_ne!(a.root().serial, b.root().serial);
    assert_ne!(a.root().fingerprint, b.root().fingerprint);
}

#[test]
fn finds_roots_by_the_name_derived_from_their_key() {
    let (a, b) = (
        GeneratedAuthority::new().unwrap(),
        GeneratedAuthority::new().unwrap(),
    );
    // A certificate with the name of `a`, but with another key.
    let key = KeyPair::generate().unwrap();
    let mut params = root_params(&key, unix_time());
    params
        .distinguished_name
        .push(DnType::CommonName, &a.root_identity.name);
    let imitation = params.self_signed(&key).unwrap().pem();
    let texts = [
        &a.files.root,
        &a.files.intermediate,
        &imitation,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        &b.files.root,
    ];
    let found = find_roots(texts.concat().as_bytes());
    assert_eq!(found, [a.root().clone(), b.root().clone()]);
    assert_eq!(find_roots(b"nothing"), []);
}

#[test]
fn returns_none_if_the_directory_does_not_exist() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Authority::read(&dir.path().join("ca")).unwrap().is_none());
}

#[test]
fn rejects_an_expired_authority() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca");
    let long_ago = unix_time() - AUTHORITY_LIFETIME - Duration::from_secs(60);
    GeneratedAuthority::at(long_ago)
        .unwrap()
        .write(&ca)
        .unwrap();
    let error = Authority::read(&ca).unwrap_err();
    assert!(matches!(error, AuthorityError::Expired(_)), "{error}");
}

#[test]
fn rejects_files_of_different_authorities_and_invalid_files() {
    let (dir, _) = saved_authority();
    let (other, _) = saved_authority();
    let file = |dir: &tempfile::TempDir, name: &str| dir.path().join("gateway/ca").join(name);
    for name in [files::KEY_FILE, files::INTERMEDIATE_FILE, files::ROOT_FILE] {
        let original = std::fs::read(file(&dir, name)).unwrap();
        std::fs::copy(file(&other, name), file(&dir, name)).unwrap();
        let error = Authority::read(&dir.path().join("gateway/ca")).unwrap_err();
        assert!(matches!(error, AuthorityError::Mismatch { .. }), "{error}");
        for invalid in [
            &b""[..],
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(file(&dir, name), invalid).unwrap();
            let error = Authority::read(&dir.path().join("gateway/ca")).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        std::fs::write(file(&dir, name), original).unwrap();
    }
    std::fs::remove_file(file(&dir, files::KEY_FILE)).unwrap();
    let error = Authority::read(&dir.path().join("gateway/ca")).unwrap_err();
    assert!(error.to_string().contains(files::KEY_FILE), "{error}");
}

#[cfg(unix)]
#[test]
fn rejects_a_key_that_other_users_can_access() {
    use std::fs::{metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let (dir, _) = saved_authority();
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
    for (file, mode, private) in [
        (ca.join(files::KEY_FILE), 0o640, 0o600),
        (ca.clone(), 0o750, 0o700),
    ] {
        set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let error = Authority::read(&ca).unwrap_err();
        assert!(
            matches!(error, AuthorityError::Permissions { .. }),
            "{error}"
        );
        set_permissions(&file, PermissionsExt::from_mode(private)).unwrap();
    }
    assert!(Authority::read(&ca).unwrap().is_some());
}

#[test]
fn does_not_overwrite_an_authority() {
    let (dir, authority) = saved_authority();
    let ca = dir.path().join("gateway/ca");
    GeneratedAuthority::new().unwrap().write(&ca).unwrap_err();
    let current = Authority::read(&ca).unwrap().unwrap();
    assert_eq!(current.root(), authority.root());
}
