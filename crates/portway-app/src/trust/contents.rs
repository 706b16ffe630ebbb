//! Reads the Portway root certificates in a trust store.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use portway_api::TrustedRoot;
use portway_gateway::tls;

use super::command::{StoreError, last_line, run};
use super::store::{CERTUTIL, Store, database};

/// The Portway roots in a store, or the reason why the store cannot be read.
#[derive(Debug)]
pub(crate) struct StoreContents {
    pub(crate) store: Store,
    pub(crate) roots: Result<Vec<TrustedRoot>, StoreError>,
}

impl StoreContents {
    pub(super) fn read(store: Store) -> Self {
        let roots = roots(&store);
        Self { store, roots }
    }
}

/// Returns whether a store contains `root`. Compares fingerprints, because another certificate may
/// have the same name.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn contains(store: &Store, root: &TrustedRoot) -> Result<bool, StoreError> {
    if *store == Store::Windows {
        return Ok(output_of(&[CERTUTIL, "-user", "-store", "Root", &root.serial]).is_ok());
    }
    let is_same = |one: &TrustedRoot| one.fingerprint == root.fingerprint;
    Ok(roots(store)?.iter().any(is_same))
}

/// Returns the Portway roots in a store.
fn roots(store: &Store) -> Result<Vec<TrustedRoot>, StoreError> {
    match store {
        Store::System { dir, .. } => Ok(in_directory(dir)?),
        Store::Database(dir) => in_database(dir),
        Store::Keychain(keychain) => {
            let keychain = keychain.display().to_string();
            let found = output_of(&["security", "find-certificate", "-a", "-p", &keychain])?;
            Ok(tls::find_roots(&found))
        }
        // The output of Windows' `certutil` is localized, so it cannot be parsed.
        Store::Windows => Err(StoreError::NotListable),
    }
}

/// Returns the roots whose files have the names that Portway gives them.
fn in_directory(dir: &Path) -> io::Result<Vec<TrustedRoot>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let file = entry?.path();
        let text = fs::read(&file).unwrap_or_default();
        let all = tls::find_roots(&text).into_iter();
        found.extend(all.filter(|root| Store::file(dir, root) == file));
    }
    Ok(found)
}

fn in_database(dir: &Path) -> Result<Vec<TrustedRoot>, StoreError> {
    // The browser may have been removed since it was detected.
    if !dir.join("cert9.db").is_file() {
        return Ok(Vec::new());
    }
    let dir = database(dir);
    let list = output_of(&[CERTUTIL, "-d", &dir, "-L"])?;
    let list = String::from_utf8_lossy(&list);
    let names: BTreeSet<&str> = list.lines().filter_map(parse_name).collect();
    let mut found = Vec::new();
    for name in names {
        let text = output_of(&[CERTUTIL, "-d", &dir, "-L", "-n", name, "-a"])?;
        found.extend(
            tls::find_roots(&text)
                .into_iter()
                .filter(|one| one.name == name),
        );
    }
    Ok(found)
}

/// Parses the name of a Portway root from a line of `certutil -L`, which ends with the trust flags.
fn parse_name(line: &str) -> Option<&str> {
    let id = line
        .strip_prefix(tls::ROOT_NAME)?
        .split_whitespace()
        .next()?;
    line.get(..tls::ROOT_NAME.len() + 1 + id.len())
}

/// Runs a command and returns its standard output.
///
/// # Errors
/// The last line of its output if it fails.
fn output_of(command: &[&str]) -> Result<Vec<u8>, StoreError> {
    let command: Vec<String> = command
        .iter()
        .map(|&argument| argument.to_owned())
        .collect();
    let output = run(&command).map_err(|source| StoreError::Start {
        program: command[0].clone(),
        source,
    })?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(StoreError::Program(last_line(&output)))
    }
}
