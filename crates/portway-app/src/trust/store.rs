//! The stores in which programs look up the certificates that they trust.

use std::fmt;
use std::path::{Path, PathBuf};

use portway_api::TrustedRoot;
use serde::{Deserialize, Serialize};

/// A store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Store {
    /// Linux: a directory, and the command that makes programs see what lies in it.
    System {
        dir: PathBuf,
        refresh: String,
        /// Where the command makes a link to each file, which it leaves when the file goes.
        links: Option<PathBuf>,
    },
    /// Linux: a database of Chromium's or Firefox's.
    Database(PathBuf),
    /// macOS: this user's keychain.
    Keychain(PathBuf),
    /// Windows: this user's roots.
    Windows,
}

/// The directories of distributions, with the command that goes with each, and where it leaves
/// links.
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

/// The program that changes [`Store::Database`].
pub(super) const CERTUTIL: &str = "certutil";

impl Store {
    /// The file of the root in the system's directory.
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
            Self::Database(dir) => write!(f, "Chromium and others ({})", dir.display()),
            Self::Keychain(_) => write!(f, "your login keychain"),
            Self::Windows => write!(f, "your root certificates"),
        }
    }
}

/// How `certutil` is told of a database.
pub(super) fn database(dir: &Path) -> String {
    format!("sql:{}", dir.display())
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The program of a command.
pub(super) fn program(command: &str) -> &str {
    command.split(' ').next().unwrap_or_default()
}
