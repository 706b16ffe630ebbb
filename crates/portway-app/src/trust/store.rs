//! The kinds of trust stores.

use std::fmt;
use std::path::{Path, PathBuf};

use portway_api::TrustedRoot;
use serde::{Deserialize, Serialize};

/// A trust store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Store {
    /// Linux: a directory, and the command that updates the system's trusted CAs from it.
    System {
        dir: PathBuf,
        refresh: String,
        /// The directory in which the command creates a link to each file. It does not remove the
        /// link of a deleted file.
        links: Option<PathBuf>,
    },
    /// Linux: a database of Chromium or Firefox.
    Database(PathBuf),
    /// macOS: the login keychain of this user.
    Keychain(PathBuf),
    /// Windows: the root certificates of this user.
    Windows,
}

/// The directory of each distribution, its update command, and the directory of the links that the
/// command creates.
pub(super) const SYSTEMS: [(&str, &str, Option<&str>); 4] = [
    // Debian, Alpine.
    (
        "/usr/local/share/ca-certificates",
        "update-ca-certificates",
        Some("/etc/ssl/certs"),
    ),
    // Fedora.
    ("/etc/pki/ca-trust/source/anchors", "update-ca-trust", None),
    // Arch.
    (
        "/etc/ca-certificates/trust-source/anchors",
        "trust extract-compat",
        None,
    ),
    // openSUSE.
    ("/etc/pki/trust/anchors", "update-ca-certificates", None),
];

/// The program that reads and changes a [`Store::Database`].
pub(super) const CERTUTIL: &str = "certutil";

impl Store {
    /// Returns the path of the root's file in the system's directory.
    pub(super) fn file(dir: &Path, root: &TrustedRoot) -> PathBuf {
        let name = root.name.to_lowercase().replace(' ', "-");
        dir.join(format!("{name}.crt"))
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System { .. } => write!(f, "the system"),
            Self::Database(dir) if text(dir).contains("irefox") => {
                write!(f, "Firefox ({})", dir.display())
            }
            Self::Database(dir) => write!(f, "Chromium-based browsers ({})", dir.display()),
            Self::Keychain(_) => write!(f, "your login keychain"),
            Self::Windows => write!(f, "your root certificates"),
        }
    }
}

/// Returns the value of `certutil -d` for a database.
pub(super) fn database(dir: &Path) -> String {
    format!("sql:{}", dir.display())
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Returns the program of a command.
pub(super) fn program(command: &str) -> &str {
    command.split(' ').next().unwrap_or_default()
}
