//! When a prepare step has to run again: when its command or what it reads has changed, or when
//! what it made is gone.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Files in a service's directory that the usual package managers read.
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

/// Directories that the usual package managers make.
const USUAL_OUTPUTS: [&str; 6] = ["node_modules", ".venv", "venv", "vendor", ".bundle", "deps"];

/// A digest of the command, the usual inputs that exist in `dir`, and the inputs that the manifest
/// names, which must exist.
///
/// # Errors
/// When an input that the manifest names cannot be read; the error names it.
pub fn digest(command: &str, dir: &Path, inputs: &[String]) -> io::Result<String> {
    let mut digest = Sha256::new();
    digest.update(command.as_bytes());
    for name in USUAL_INPUTS {
        if let Ok(bytes) = fs::read(dir.join(name)) {
            add(&mut digest, name, &bytes);
        }
    }
    for name in inputs {
        let path = dir.join(name);
        let bytes = fs::read(&path).map_err(|error| {
            io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
        })?;
        add(&mut digest, name, &bytes);
    }
    let digest = digest.finalize();
    Ok(digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Adds one file so that no two lists of files give the same digest.
fn add(digest: &mut Sha256, name: &str, bytes: &[u8]) {
    digest.update([0]);
    digest.update(name.as_bytes());
    digest.update([0]);
    digest.update((bytes.len() as u64).to_le_bytes());
    digest.update(bytes);
}

/// The usual outputs that exist in `dir`: if one of them is gone later, the step has to run again.
pub fn outputs(dir: &Path) -> Vec<String> {
    USUAL_OUTPUTS
        .into_iter()
        .filter(|name| dir.join(name).exists())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_input_changes_the_digest() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path();
        let now = || digest("npm ci", dir, &[]).unwrap();
        let before = now();
        fs::write(dir.join("unrelated.txt"), "x").unwrap();
        assert_eq!(now(), before);
        fs::write(dir.join("package-lock.json"), "{}").unwrap();
        let with_lock = now();
        assert_ne!(with_lock, before);
        assert_ne!(digest("npm install", dir, &[]).unwrap(), with_lock);
    }

    #[test]
    fn named_inputs_must_exist() {
        let temp = tempfile::tempdir().unwrap();
        let inputs = ["schema.sql".to_owned()];
        let error = digest("x", temp.path(), &inputs).unwrap_err();
        assert!(error.to_string().contains("schema.sql"));
        fs::write(temp.path().join("schema.sql"), "").unwrap();
        assert!(digest("x", temp.path(), &inputs).is_ok());
    }

    #[test]
    fn outputs_are_those_that_exist() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("node_modules")).unwrap();
        assert_eq!(outputs(temp.path()), ["node_modules"]);
    }
}
