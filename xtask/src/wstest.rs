//! The Autobahn test suite for WebSocket, installed into `target/tools`.
//!
//! It needs Python 2.7, which no current distribution has. The packages of an older Debian are unpacked,
//! not installed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{output, root, run};
use crate::debian::{Sources, create, unpack};
use crate::system;

/// The last release of Debian with Python 2.7.
const RELEASE: &str = "bullseye";

/// Python 2.7 and the libraries of that release that it needs.
const PACKAGES: [&str; 5] = [
    "libffi7",
    "libpython2.7-minimal",
    "libpython2.7-stdlib",
    "libssl1.1",
    "python2.7-minimal",
];

/// The last version of pip that runs with Python 2.7.
const PIP: &str = "pip==20.3.4";

/// The suite and what it imports, in the last versions for Python 2.7.
const REQUIREMENTS: &str = include_str!("wstest-requirements.txt");

/// Return a Python that can import the suite; install both first if they are missing.
pub(crate) fn ensure() -> Result<PathBuf, String> {
    let directory = root().join("target/tools/wstest");
    let python = directory.join("python");
    // Written last, so an interrupted installation is repeated.
    let record = directory.join("installed");
    let installed = fs::read_to_string(&record).unwrap_or_default();
    if installed != REQUIREMENTS {
        if !system::is_installed("dpkg-deb") {
            return Err("the Autobahn test suite needs Python 2.7 from packages of Debian".into());
        }
        println!("== installing the Autobahn test suite into target/tools");
        install(&directory, &python)?;
        write(&record, REQUIREMENTS)?;
    }
    Ok(python)
}

fn install(directory: &Path, python: &Path) -> Result<(), String> {
    let work = directory.join("work");
    create(&work)?;
    let packages = PACKAGES.map(str::to_owned);
    let files = Sources::release(&work, RELEASE)?.download(&packages, &work)?;
    unpack(&files, &directory.join("root"))?;
    let architecture = output(Command::new("dpkg-architecture").arg("-qDEB_HOST_MULTIARCH"))
        .unwrap_or_else(|_| format!("{}-linux-gnu", std::env::consts::ARCH));
    write(python, &launcher(directory, architecture.trim()))?;
    fs::set_permissions(python, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("cannot change `{}`: {error}", python.display()))?;
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", PIP])
        .arg("--dest")
        .arg(&work))?;
    let wheel = work.join("pip-20.3.4-py2.py3-none-any.whl");
    run(Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .arg(wheel)
        .arg(directory.join("pip")))?;
    let requirements = work.join("requirements.txt");
    write(&requirements, REQUIREMENTS)?;
    let site = directory.join("site");
    run(Command::new(python)
        .args([
            "-W",
            "ignore",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
        ])
        .args(["--no-python-version-warning", "--upgrade", "--target"])
        .arg(&site)
        .arg("--requirement")
        .arg(&requirements))?;
    // Without an installation, the package for names in common is a plain directory.
    write(&site.join("zope/__init__.py"), "")?;
    fs::remove_dir_all(&work)
        .map_err(|error| format!("cannot remove `{}`: {error}", work.display()))
}

/// The script that starts Python with its libraries and packages.
fn launcher(directory: &Path, architecture: &str) -> String {
    let directory = directory.display();
    format!(
        "#!/bin/sh\n\
         export LD_LIBRARY_PATH='{directory}/root/usr/lib/{architecture}'\n\
         export PYTHONHOME='{directory}/root/usr' PYTHONPATH='{directory}/site:{directory}/pip'\n\
         exec '{directory}/root/usr/bin/python2.7' \"$@\"\n"
    )
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("cannot write `{}`: {error}", file.display()))
}
