//! What the tests need beside Rust, Node and Python, installed through the ordinary clients.

use std::path::Path;
use std::process::Command;

use crate::steps::{root, run};

/// A program of the tests and the Debian packages that it takes.
const PROGRAMS: &[(&str, &str)] = &[
    ("redis-server", "redis-server"),
    ("chromium", "chromium"),
    ("firefox-esr", "firefox-esr"),
    ("certutil", "libnss3-tools"),
    ("git", "git"),
    ("curl", "curl"),
    // Machines on a network of their own, and another program that speaks mDNS on them.
    ("avahi-browse", "avahi-daemon avahi-utils"),
    ("dbus-daemon", "dbus"),
    ("ip", "iproute2"),
    // A clock that jumps, for `chaos/`.
    ("faketime", "faketime"),
    // What `rails new --minimal` needs; the whole of `rails` brings hundreds of packages.
    (
        "rails",
        "ruby ruby-dev bundler build-essential libyaml-dev puma ruby-rails ruby-railties \
         ruby-activerecord ruby-actioncable ruby-activestorage ruby-actionmailer \
         ruby-sprockets-rails ruby-sqlite3 ruby-bootsnap",
    ),
];

/// Sets up everything; says beforehand what it installs.
pub(crate) fn all() -> Result<(), String> {
    for program in ["node", "npm", "python3"] {
        if !is_there(program) {
            return Err(format!(
                "`{program}` is missing; the tests need Node 20 and Python 3.11"
            ));
        }
    }
    packages()?;
    let browser = root().join("tests/browser");
    println!("== npm packages of the browser tests");
    run(Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--prefix"])
        .arg(browser))
}

/// Installs the Debian packages whose programs are missing.
fn packages() -> Result<(), String> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, packages)| *packages)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// Installs `packages` where one of `programs`, given by their paths, is missing.
pub(crate) fn debian(programs: &[&str], packages: &str) -> Result<(), String> {
    if programs.iter().all(|program| Path::new(program).is_file()) {
        return Ok(());
    }
    install(&[packages])
}

fn install(packages: &[&str]) -> Result<(), String> {
    let install = format!(
        "apt-get install -y -o DPkg::Lock::Timeout=300 --no-install-recommends {}",
        packages.join(" ")
    );
    if !is_there("apt-get") {
        return Err(format!(
            "these packages of Debian are missing: {}",
            packages.join(", ")
        ));
    }
    println!("== missing, and installed now: {install}");
    let mut prefix: Vec<&str> = Vec::new();
    if !is_root() {
        prefix.push("sudo");
    }
    for words in ["apt-get update -q", &install] {
        let mut words = prefix.iter().copied().chain(words.split(' '));
        let Some(program) = words.next() else {
            continue;
        };
        run(Command::new(program)
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    Ok(())
}

pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Whether this user may install packages: the owner of this very process's files in `/proc`.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|own| own.uid() == 0)
}
