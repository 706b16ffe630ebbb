//! What this machine has: the facts from which steps follow.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use portway_api::ErrorCode;

use super::store::{CERTUTIL, SYSTEMS, program};
use crate::error::CommandError;
use crate::{dirs, platform};

/// A system, as far as its stores go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Linux,
    MacOs,
    Windows,
}

/// The facts.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) system: System,
    /// Whether this user may change the system's files.
    pub(crate) is_root: bool,
    pub(crate) home: PathBuf,
    /// The directories that are there, of those that matter.
    pub(crate) dirs: Vec<PathBuf>,
    /// The programs that are there, of those that matter.
    pub(crate) programs: Vec<String>,
    /// Where the programs are that have the system see a change.
    pub(crate) refreshing: Vec<PathBuf>,
    /// Databases of browsers.
    pub(crate) databases: Vec<PathBuf>,
}

/// Package managers, and the package of each that has `certutil`.
const PACKAGES: [(&str, &str); 5] = [
    ("apt-get", "libnss3-tools"),
    ("dnf", "nss-tools"),
    ("pacman", "nss"),
    ("zypper", "mozilla-nss-tools"),
    ("apk", "nss-tools"),
];

/// Where programs for root are, which not every user has in `PATH`.
const SBIN: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Where Chromium and its relatives keep their database, below the home; `*` is any one directory.
const CHROMIUM: [&str; 4] = [
    ".pki/nssdb",
    ".local/share/pki/nssdb",
    "snap/*/current/.pki/nssdb",
    ".var/app/*/.pki/nssdb",
];

/// Where Firefox keeps its profiles, each with a database.
const FIREFOX: [&str; 4] = [
    ".mozilla/firefox/*",
    ".config/mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
];

impl Facts {
    /// Looks at this machine.
    ///
    /// # Errors
    /// When it is not known where this user's home is.
    pub(crate) fn gather() -> Result<Self, CommandError> {
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        let home = home.ok_or_else(|| {
            CommandError::new(ErrorCode::State, "it is not known where your home is")
                .hint("set HOME to your home directory")
        })?;
        let system = if cfg!(target_os = "macos") {
            System::MacOs
        } else if cfg!(windows) {
            System::Windows
        } else {
            System::Linux
        };
        let managers = PACKAGES.iter().map(|(manager, _)| *manager);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let refreshing = SYSTEMS.iter().map(|(_, refresh, _)| program(refresh));
        Ok(Self {
            system,
            is_root: platform::is_root(),
            dirs: SYSTEMS
                .iter()
                .map(|(dir, ..)| PathBuf::from(dir))
                .filter(|dir| dir.is_dir())
                .collect(),
            refreshing: refreshing
                .filter_map(|name| find_for_root(name, &path))
                .collect(),
            programs: managers
                .chain([CERTUTIL])
                .filter(|name| dirs::has_program(name))
                .map(str::to_owned)
                .collect(),
            databases: match system {
                System::Linux => databases(&home),
                // Firefox asks the system there.
                System::MacOs | System::Windows => Vec::new(),
            },
            home,
        })
    }

    pub(super) fn has_dir(&self, dir: &str) -> bool {
        self.dirs.iter().any(|one| one == Path::new(dir))
    }

    pub(super) fn has_program(&self, name: &str) -> bool {
        self.programs.iter().any(|one| one == name)
    }

    /// Where a program is that has the system see a change.
    pub(super) fn refreshing(&self, name: &str) -> Option<&Path> {
        let mut all = self.refreshing.iter().map(PathBuf::as_path);
        all.find(|file| file.ends_with(name))
    }

    /// The package that has `certutil`, by whatever name it goes here.
    pub(super) fn certutil_package(&self) -> &'static str {
        let known = PACKAGES
            .iter()
            .find(|(manager, _)| self.has_program(manager));
        known.map_or("nss-tools", |(_, package)| package)
    }
}

/// Where a program is that root runs. Who has it run by `sudo` may have another `PATH` there, so only
/// the whole path will do.
fn find_for_root(name: &str, path: &OsStr) -> Option<PathBuf> {
    let dirs = std::env::split_paths(path).chain(SBIN.map(PathBuf::from));
    let mut dirs = dirs.filter(|dir| dir.is_absolute());
    let dir = dirs.find(|dir| platform::is_program(dir, name))?;
    Some(dir.join(name))
}

/// The databases of browsers below `home`.
fn databases(home: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = CHROMIUM
        .iter()
        .chain(&FIREFOX)
        .flat_map(|pattern| matches(home, pattern))
        .filter(|dir| dir.join("cert9.db").is_file())
        .collect();
    // A snap's `current` leads to one of its revisions.
    found.sort();
    found.dedup();
    found
}

/// The directories below `dir` that fit `pattern`.
fn matches(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let (first, rest) = match pattern.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (pattern, None),
    };
    let here = if first == "*" {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    } else {
        vec![dir.join(first)]
    };
    match rest {
        None => here,
        Some(rest) => here.iter().flat_map(|dir| matches(dir, rest)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_of_all_browsers_are_found() {
        let home = tempfile::tempdir().unwrap();
        let all = [
            ".config/mozilla/firefox/x.default",
            ".mozilla/firefox/abc.default-release",
            ".pki/nssdb",
            ".var/app/org.chromium.Chromium/.pki/nssdb",
            "snap/chromium/current/.pki/nssdb",
        ];
        for dir in all {
            let dir = home.path().join(dir);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("cert9.db"), "").unwrap();
        }
        // No profile, and one without a database.
        fs::create_dir_all(home.path().join(".mozilla/firefox/Crash Reports")).unwrap();
        fs::write(home.path().join(".mozilla/firefox/profiles.ini"), "").unwrap();
        let expected = all.map(|dir| home.path().join(dir));
        assert_eq!(databases(home.path()), expected);
        assert_eq!(databases(&home.path().join("none")), [] as [PathBuf; 0]);
    }
}
