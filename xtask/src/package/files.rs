//! Files of packages: written with a fixed mode, copied, and hashed.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::command::root;

/// The licenses that each package contains.
pub(super) const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Copies the licenses into the directory of a package.
pub(super) fn copy_licenses(dir: &Path) -> Result<(), String> {
    LICENSES
        .iter()
        .try_for_each(|name| copy(&root().join(name), &dir.join(name), 0o644))
}

/// Copies a file, and sets its mode, on which the umask of this process must have no effect.
pub(crate) fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), String> {
    write(to, &read(from)?, mode)
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| cannot("read", path, &error))
}

/// Writes a file with its directories and its mode.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|error| cannot("create", dir, &error))?;
    }
    fs::write(path, bytes)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|error| cannot("write", path, &error))
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn cannot(what: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {what} `{}`: {error}", path.display())
}
