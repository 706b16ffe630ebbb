//! Environment variables that make services trust the gateway's certificates.
//!
//! Node, Deno, Python and other runtimes have their own list of trusted CAs. Some runtimes add the
//! CA file that a variable names. Others replace their list with that file, so Portway writes a
//! bundle of the system's CAs and the local CA.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use portway_gateway::tls;
use portway_registry::replace_file;

use super::dir;

/// Variables that add a CA to the trusted CAs of a program.
const ADDING_VARIABLES: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

/// Variables that replace the trusted CAs of a program.
const REPLACING_VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"];

/// The bundle files of Linux distributions. On macOS and Windows, no single file contains all CAs
/// that the system trusts.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The name of the file with the system's CAs and the local CA.
const BUNDLE: &str = "bundle.pem";

/// Returns the variables to set for services; empty if there is no local CA.
pub(crate) fn variables() -> IndexMap<String, String> {
    let Ok(ca) = dir() else {
        return IndexMap::new();
    };
    variables_for(&ca, &|name| std::env::var_os(name).map(PathBuf::from))
}

/// Returns the variables for the CA in the directory `ca`. A variable that the user has set to
/// another file is left out, because that file may contain other CAs.
fn variables_for(ca: &Path, current: &dyn Fn(&str) -> Option<PathBuf>) -> IndexMap<String, String> {
    let files = ADDING_VARIABLES
        .map(|name| (name, tls::ROOT_FILE))
        .into_iter();
    let files = files.chain(REPLACING_VARIABLES.map(|name| (name, BUNDLE)));
    files
        .map(|(name, file)| (name, ca.join(file)))
        .filter(|(_, file)| file.is_file())
        .filter(|(name, file)| {
            current(name).is_none_or(|value| value.as_os_str().is_empty() || value == *file)
        })
        .map(|(name, file)| (name.to_owned(), file.display().to_string()))
        .collect()
}

/// Writes the bundle if the system has one and ours is missing or older. If that fails, the
/// variables that need the bundle are not set.
pub(crate) fn update_bundle() {
    let system = SYSTEM_BUNDLES.map(PathBuf::from).into_iter();
    if cfg!(target_os = "linux")
        && let Some(system) = system.into_iter().find(|file| file.is_file())
        && let Ok(ca) = dir()
    {
        let _ = write_bundle(&system, &ca);
    }
}

/// Writes the bundle to `ca`, unless it is at least as new as both the system's bundle and the
/// root.
fn write_bundle(system: &Path, ca: &Path) -> io::Result<()> {
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
    replace_file(&file, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(variables: &IndexMap<String, String>) -> Vec<&str> {
        variables.keys().map(String::as_str).collect()
    }

    #[test]
    fn sets_no_variable_without_a_ca() {
        let dir = tempfile::tempdir().unwrap();
        assert!(variables_for(dir.path(), &|_| None).is_empty());
    }

    #[test]
    fn the_bundle_contains_the_system_cas() {
        let dir = tempfile::tempdir().unwrap();
        let (ca, system) = (dir.path(), dir.path().join("system"));
        fs::write(ca.join(tls::ROOT_FILE), "ours\n").unwrap();
        assert_eq!(
            names(&variables_for(ca, &|_| None)),
            ["NODE_EXTRA_CA_CERTS", "DENO_CERT"]
        );
        write_bundle(&system, ca).unwrap_err();
        assert!(!ca.join(BUNDLE).exists());
        fs::write(&system, "theirs").unwrap();
        write_bundle(&system, ca).unwrap();
        assert_eq!(
            fs::read_to_string(ca.join(BUNDLE)).unwrap(),
            "theirs\nours\n"
        );
        let variables = variables_for(ca, &|_| None);
        assert_eq!(names(&variables).len(), 4);
        let file = ca.join(BUNDLE).display().to_string();
        assert_eq!(variables["SSL_CERT_FILE"], file);
        // The system bundle changes.
        fs::write(&system, "more\n").unwrap();
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        let changed = fs::File::options().write(true).open(&system).unwrap();
        changed.set_modified(later).unwrap();
        write_bundle(&system, ca).unwrap();
        assert_eq!(fs::read_to_string(ca.join(BUNDLE)).unwrap(), "more\nours\n");
        let files: Vec<_> = fs::read_dir(ca).unwrap().collect();
        assert_eq!(files.len(), 3);
    }

    #[test]
    fn keeps_a_variable_that_the_user_has_set() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path();
        fs::write(ca.join(tls::ROOT_FILE), "").unwrap();
        let root = ca.join(tls::ROOT_FILE);
        let is_set = |value: PathBuf| {
            let variables = variables_for(ca, &|name| {
                (name == "NODE_EXTRA_CA_CERTS").then(|| value.clone())
            });
            variables.contains_key("NODE_EXTRA_CA_CERTS")
        };
        assert!(!is_set("/corporate.pem".into()));
        assert!(is_set("".into()));
        assert!(is_set(root));
    }
}
