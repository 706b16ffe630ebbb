//! Reads what the trust steps depend on: the operating system, directories, programs and browser
//! databases of this machine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use portway_api::ErrorCode;

use super::store::{CERTUTIL, SYSTEMS, program};
use crate::error::CommandError;
use crate::{dirs, platform};

/// The operating system, which decides what kinds of stores exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Linux,
    MacOs,
    Windows,
}

/// The parts of this machine that the trust steps depend on.
#[derive(Clone, Debug)]
pub(crate) struct StoreEnvironment {
    pub(crate) system: System,
    /// Whether this process runs as root.
    pub(crate) is_root: bool,
    pub(crate) home: PathBuf,
    /// The existing directories of [`SYSTEMS`].
    pub(crate) dirs: Vec<PathBuf>,
    /// The programs in `PATH`: `certutil` and package managers.
    pub(crate) programs: Vec<String>,
    /// The paths of the programs that update the system's trusted CAs.
    pub(crate) update_programs: Vec<PathBuf>,
    /// The certificate databases of browsers.
    pub(crate) databases: Vec<PathBuf>,
}

/// Package managers, each with the package that contains `certutil`.
const PACKAGES: [(&str, &str); 5] = [
    ("apt-get", "libnss3-tools"),
    ("dnf", "nss-tools"),
    ("pacman", "nss"),
    ("zypper", "mozilla-nss-tools"),
    ("apk", "nss-tools"),
];

/// Directories of programs for root. They are not in the `PATH` of every user.
const SBIN: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Directories of the databases of Chromium-based browsers, relative to the home directory. `*`
/// matches one directory.
const CHROMIUM: [&str; 4] = [
    ".pki/nssdb",
    ".local/share/pki/nssdb",
    "snap/*/current/.pki/nssdb",
    ".var/app/*/.pki/nssdb",
];

/// Directories of Firefox profiles, each with a database.
const FIREFOX: [&str; 4] = [
    ".mozilla/firefox/*",
    ".config/mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
];

impl StoreEnvironment {
    /// Reads the environment of this process and machine.
    ///
    /// # Errors
    /// When the home directory is unknown.
    pub(crate) fn read() -> Result<Self, CommandError> {
        // Without the variable, the standard library would ask NSS, which a static program must not load.
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let home = std::env::var_os(variable).map(PathBuf::from);
        let home = home.filter(|home| home.is_absolute());
        let home = home.ok_or_else(|| {
            CommandError::new(ErrorCode::State, "cannot determine your home directory")
                .hint("set `HOME` to your home directory")
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
        let update_programs = SYSTEMS.iter().map(|(_, update, _)| program(update));
        Ok(Self {
            system,
            is_root: platform::is_root(),
            dirs: SYSTEMS
                .iter()
                .map(|(dir, ..)| PathBuf::from(dir))
                .filter(|dir| dir.is_dir())
                .collect(),
            update_programs: update_programs
                .filter_map(|name| find_for_root(name, &path))
                .collect(),
            programs: managers
                .chain([CERTUTIL])
                .filter(|name| dirs::has_program(name))
                .map(str::to_owned)
                .collect(),
            databases: match system {
                System::Linux => databases(&home),
                // Firefox uses the system's store there.
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

    /// Returns the path of a program that updates the system's trusted CAs.
    pub(super) fn update_program(&self, name: &str) -> Option<&Path> {
        let mut all = self.update_programs.iter().map(PathBuf::as_path);
        all.find(|file| file.ends_with(name))
    }

    /// Returns the name of the package that contains `certutil` on this system.
    pub(super) fn certutil_package(&self) -> &'static str {
        let package = PACKAGES
            .iter()
            .find(|(manager, _)| self.has_program(manager));
        package.map_or("nss-tools", |(_, package)| package)
    }
}

/// Finds a program that root runs. Returns its absolute path, because `sudo` may use another
/// `PATH`.
fn find_for_root(name: &str, path: &OsStr) -> Option<PathBuf> {
    let dirs = std::env::split_paths(path).chain(SBIN.map(PathBuf::from));
    let dirs = std::env::join_paths(dirs.filter(|dir| dir.is_absolute())).ok()?;
    which::which_in_global(name, Some(dirs)).ok()?.next()
}

/// Returns the browser databases below `home`.
fn databases(home: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = CHROMIUM
        .iter()
        .chain(&FIREFOX)
        .flat_map(|pattern| matches(home, pattern))
        .filter(|dir| dir.join("cert9.db").is_file())
        .collect();
    // A snap's `current` is a link to one of its revisions.
    found.sort();
    found.dedup();
    found
}

/// Returns the directories below `dir` that match `pattern`.
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
    fn finds_the_databases_of_all_browsers() {
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
        // A profile without a database, and a file.
        fs::create_dir_all(home.path().join(".mozilla/firefox/Crash Reports")).unwrap();
        fs::write(home.path().join(".mozilla/firefox/profiles.ini"), "").unwrap();
        let expected = all.map(|dir| home.path().join(dir));
        assert_eq!(databases(home.path()), expected);
        assert_eq!(databases(&home.path().join("none")), [] as [PathBuf; 0]);
    }
}
