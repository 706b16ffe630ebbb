//! Detects whether a prepare step must run again: its command or its inputs have changed, or its
//! outputs are gone.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::user_file;

/// Maximum size of an input, in bytes.
const MAX_INPUT_BYTES: u64 = 64 << 20;

/// Files that common package managers read.
const USUAL_INPUTS: [&str; 25] = [
    "requirements.txt",
    "requirements-dev.txt",
    "pyproject.toml",
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "setup.py",
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "Gemfile",
    "Gemfile.lock",
    "go.sum",
    "Cargo.lock",
    "composer.json",
    "composer.lock",
    "mix.exs",
    "mix.lock",
    ".python-version",
    ".nvmrc",
];

/// Directories that common package managers create.
const USUAL_OUTPUTS: [&str; 6] = ["node_modules", ".venv", "venv", "vendor", ".bundle", "deps"];

/// An input of a prepare step that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`: {source}", file.display())]
pub struct InputError {
    /// The file.
    pub file: PathBuf,
    /// The error from the system.
    pub source: io::Error,
}

/// A digest of the command and its inputs: the usual ones that exist in `dir`, and those that the
/// manifest names.
///
/// # Errors
/// When an input that the manifest names cannot be read.
pub fn input_digest(command: &str, dir: &Path, inputs: &[String]) -> Result<String, InputError> {
    let mut digest = Sha256::new();
    digest.update(command.as_bytes());
    for name in USUAL_INPUTS {
        if let Ok(bytes) = user_file::read(&dir.join(name), MAX_INPUT_BYTES) {
            add(&mut digest, name, &bytes);
        }
    }
    for name in inputs {
        let file = dir.join(name);
        let bytes = user_file::read(&file, MAX_INPUT_BYTES).map_err(|error| InputError {
            file,
            source: error.into(),
        })?;
        add(&mut digest, name, &bytes);
    }
    let digest = digest.finalize();
    Ok(digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Adds one file. The separators and the length keep different lists of files from having the same
/// digest.
fn add(digest: &mut Sha256, name: &str, bytes: &[u8]) {
    digest.update([0]);
    digest.update(name.as_bytes());
    digest.update([0]);
    digest.update((bytes.len() as u64).to_le_bytes());
    digest.update(bytes);
}

/// The usual outputs that exist in `dir`. The step must run again if one of them disappears.
pub fn existing_outputs(dir: &Path) -> Vec<String> {
    USUAL_OUTPUTS
        .into_iter()
        .filter(|name| dir.join(name).exists())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_changed_input_changes_the_digest() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path();
        let current = || input_digest("npm ci", dir, &[]).unwrap();
        let before = current();
        fs::write(dir.join("unrelated.txt"), "x").unwrap();
        assert_eq!(current(), before);
        fs::write(dir.join("package-lock.json"), "{}").unwrap();
        let with_lock = current();
        assert_ne!(with_lock, before);
        assert_ne!(input_digest("npm install", dir, &[]).unwrap(), with_lock);
    }

    #[test]
    fn inputs_that_the_manifest_names_must_exist() {
        let temp = tempfile::tempdir().unwrap();
        let inputs = ["schema.sql".to_owned()];
        let error = input_digest("x", temp.path(), &inputs).unwrap_err();
        assert!(error.file.ends_with("schema.sql"));
        fs::write(temp.path().join("schema.sql"), "").unwrap();
        assert!(input_digest("x", temp.path(), &inputs).is_ok());
    }

    #[test]
    fn only_existing_outputs_are_listed() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("node_modules")).unwrap();
        assert_eq!(existing_outputs(temp.path()), ["node_modules"]);
    }
}
