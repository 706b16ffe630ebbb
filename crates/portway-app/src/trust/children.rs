//! What services are told, so that they believe the gateway's certificates too.
//!
//! Node, Deno, Python and others bring their own list of whom to trust. Some take one more from a
//! variable; others only another list, which therefore has to hold the system's as well.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use portway_gateway::tls;

use super::dir;

/// Variables that add to whom a program trusts.
const ADD: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

/// Variables that replace whom a program trusts.
const REPLACE: [&str; 2] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"];

/// Where systems keep whom they trust, in one file that programs read. On macOS and Windows such a
/// file would not be the whole truth.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The file with the system's and the local CA's.
const BUNDLE: &str = "bundle.pem";

/// The variables. None where there is no local CA.
pub(crate) fn variables() -> IndexMap<String, String> {
    let Ok(ca) = dir() else {
        return IndexMap::new();
    };
    told(&ca, &|name| std::env::var_os(name).map(PathBuf::from))
}

/// The variables by which programs trust the CA in `ca`. One that somebody has set to a file of
/// their own is left alone: they have other CAs to trust.
fn told(ca: &Path, set: &dyn Fn(&str) -> Option<PathBuf>) -> IndexMap<String, String> {
    let files = ADD.map(|name| (name, tls::ROOT_FILE)).into_iter();
    let files = files.chain(REPLACE.map(|name| (name, BUNDLE)));
    files
        .map(|(name, file)| (name, ca.join(file)))
        .filter(|(_, file)| file.is_file())
        .filter(|(name, file)| {
            set(name).is_none_or(|set| set.as_os_str().is_empty() || set == *file)
        })
        .map(|(name, file)| (name.to_owned(), file.display().to_string()))
        .collect()
}

/// Makes the file with the system's and the local CA's, where the system has one, anew when that
/// is newer. Where it cannot be made, programs that take no addition are not told.
pub(crate) fn refresh() {
    let system = SYSTEM.map(PathBuf::from).into_iter();
    if cfg!(target_os = "linux")
        && let Some(system) = system.into_iter().find(|file| file.is_file())
        && let Ok(ca) = dir()
    {
        let _ = bundle(&system, &ca);
    }
}

/// Writes the bundle into `ca`, unless it is as new as that of the system.
fn bundle(system: &Path, ca: &Path) -> io::Result<()> {
    let file = ca.join(BUNDLE);
    let root = ca.join(tls::ROOT_FILE);
    let age = |file: &Path| fs::metadata(file).and_then(|metadata| metadata.modified());
    if let (Ok(ours), Ok(theirs), Ok(root)) = (age(&file), age(system), age(&root))
        && ours >= theirs
        && ours >= root
    {
        return Ok(());
    }
    let mut text = fs::read(system)?;
    if text.last().is_some_and(|&byte| byte != b'\n') {
        text.push(b'\n');
    }
    text.extend(fs::read(root)?);
    // Others may be at it as well.
    let new = ca.join(format!("{BUNDLE}.{}", std::process::id()));
    fs::write(&new, text)?;
    fs::rename(&new, &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(variables: &IndexMap<String, String>) -> Vec<&str> {
        variables.keys().map(String::as_str).collect()
    }

    #[test]
    fn nothing_is_said_without_a_ca() {
        let dir = tempfile::tempdir().unwrap();
        assert!(told(dir.path(), &|_| None).is_empty());
    }

    #[test]
    fn what_replaces_the_systems_holds_the_systems() {
        let dir = tempfile::tempdir().unwrap();
        let (ca, system) = (dir.path(), dir.path().join("system"));
        fs::write(ca.join(tls::ROOT_FILE), "ours\n").unwrap();
        assert_eq!(
            names(&told(ca, &|_| None)),
            ["NODE_EXTRA_CA_CERTS", "DENO_CERT"]
        );
        bundle(&system, ca).unwrap_err();
        assert!(!ca.join(BUNDLE).exists());
        fs::write(&system, "theirs").unwrap();
        bundle(&system, ca).unwrap();
        assert_eq!(
            fs::read_to_string(ca.join(BUNDLE)).unwrap(),
            "theirs\nours\n"
        );
        let variables = told(ca, &|_| None);
        assert_eq!(names(&variables).len(), 4);
        let file = ca.join(BUNDLE).display().to_string();
        assert_eq!(variables["SSL_CERT_FILE"], file);
        // The system changes.
        fs::write(&system, "more\n").unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        let changed = fs::File::options().write(true).open(&system).unwrap();
        changed.set_modified(later).unwrap();
        bundle(&system, ca).unwrap();
        assert_eq!(fs::read_to_string(ca.join(BUNDLE)).unwrap(), "more\nours\n");
        let left: Vec<_> = fs::read_dir(ca).unwrap().collect();
        assert_eq!(left.len(), 3);
    }

    #[test]
    fn what_somebody_has_set_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path();
        fs::write(ca.join(tls::ROOT_FILE), "").unwrap();
        let root = ca.join(tls::ROOT_FILE);
        let set = |value: PathBuf| {
            let variables = told(ca, &|name| {
                (name == "NODE_EXTRA_CA_CERTS").then(|| value.clone())
            });
            variables.contains_key("NODE_EXTRA_CA_CERTS")
        };
        assert!(!set("/corporate.pem".into()));
        assert!(set("".into()));
        assert!(set(root));
    }
}
