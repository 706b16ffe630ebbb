//! What is in a store.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use portway_api::TrustedRoot;
use portway_gateway::tls;

use super::command::{last_line, run};
use super::store::{CERTUTIL, Store, database};

/// A store, and Portway's roots in it, or why that is not known.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) store: Store,
    pub(crate) roots: Result<Vec<TrustedRoot>, String>,
}

impl Seen {
    pub(super) fn of(store: Store) -> Self {
        let roots = roots(&store);
        Self { store, roots }
    }
}

/// Whether `root`, and no other certificate of its name, is in a store.
///
/// # Errors
/// When that cannot be found out.
pub(super) fn has(store: &Store, root: &TrustedRoot) -> Result<bool, String> {
    if *store == Store::Windows {
        return Ok(said(&[CERTUTIL, "-user", "-store", "Root", &root.serial]).is_ok());
    }
    let same = |one: &TrustedRoot| one.fingerprint == root.fingerprint;
    Ok(roots(store)?.iter().any(same))
}

/// Portway's roots in a store.
fn roots(store: &Store) -> Result<Vec<TrustedRoot>, String> {
    match store {
        Store::System { dir, .. } => in_directory(dir).map_err(|error| error.to_string()),
        Store::Database(dir) => in_database(dir),
        Store::Keychain(keychain) => {
            let keychain = keychain.display().to_string();
            let found = said(&["security", "find-certificate", "-a", "-p", &keychain])?;
            Ok(tls::find_roots(&found))
        }
        // Its `certutil` speaks the user's language.
        Store::Windows => Err("there only a CA whose number is known can be looked for".to_owned()),
    }
}

/// Those in files that have their names.
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

fn in_database(dir: &Path) -> Result<Vec<TrustedRoot>, String> {
    // The browser may be gone since.
    if !dir.join("cert9.db").is_file() {
        return Ok(Vec::new());
    }
    let dir = database(dir);
    let list = said(&[CERTUTIL, "-d", &dir, "-L"])?;
    let list = String::from_utf8_lossy(&list);
    let names: BTreeSet<&str> = list.lines().filter_map(name).collect();
    let mut found = Vec::new();
    for name in names {
        let text = said(&[CERTUTIL, "-d", &dir, "-L", "-n", name, "-a"])?;
        found.extend(
            tls::find_roots(&text)
                .into_iter()
                .filter(|one| one.name == name),
        );
    }
    Ok(found)
}

/// The name of a root in a line of `certutil`'s list, which has its flags behind it.
fn name(line: &str) -> Option<&str> {
    let id = line
        .strip_prefix(tls::ROOT_NAME)?
        .split_whitespace()
        .next()?;
    line.get(..tls::ROOT_NAME.len() + 1 + id.len())
}

/// What a command says when it goes well.
fn said(words: &[&str]) -> Result<Vec<u8>, String> {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let output = run(&words).map_err(|error| format!("`{}`: {error}", words[0]))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(last_line(&output))
    }
}
