//! `cargo xtask setup`: install what the tests need in addition to Rust, Node, and Python.

use std::path::Path;
use std::process::Command;

use crate::command::{root, run};
use crate::python::LIBRARIES;
use crate::system::{is_installed, is_root};
use crate::{docker, docs};

/// Programs that the tests run, each with the Debian packages that provide it.
const PROGRAMS: &[(&str, &str)] = &[
    ("redis-server", "redis-server"),
    ("psql", "postgresql"),
    ("mariadbd", "mariadb-server-core mariadb-client"),
    ("chromium", "chromium"),
    ("firefox-esr", "firefox-esr"),
    ("certutil", "libnss3-tools"),
    ("git", "git"),
    ("curl", "curl"),
    // Completions.
    ("fish", "fish"),
    ("zsh", "zsh"),
    // Two machines on a test network, and an independent mDNS implementation on them.
    ("avahi-browse", "avahi-daemon avahi-utils"),
    ("dbus-daemon", "dbus"),
    ("ip", "iproute2"),
    // The way out of isolated networks.
    ("slirp4netns", "slirp4netns"),
    ("pasta", "passt"),
    // Clock jumps in `chaos/`.
    ("faketime", "faketime"),
    // The tests start an engine of their own.
    ("dockerd", "docker.io"),
    // Evaluates the flake of the packages.
    ("nix-instantiate", "nix-bin"),
    // Checks the scripts of the GitHub Action.
    ("shellcheck", "shellcheck"),
    // What `rails new --minimal` needs. The package `rails` would install hundreds more.
    (
        "rails",
        "ruby ruby-dev bundler build-essential libyaml-dev puma ruby-rails ruby-railties \
         ruby-activerecord ruby-actioncable ruby-activestorage ruby-actionmailer \
         ruby-sprockets-rails ruby-sqlite3 ruby-bootsnap",
    ),
];

/// Install everything that is missing. Prints each command that installs something.
pub(crate) fn all() -> Result<(), String> {
    for program in ["node", "npm", "python3"] {
        if !is_installed(program) {
            return Err(format!(
                "`{program}` is missing; the tests need Node 20 and Python 3.11"
            ));
        }
    }
    packages()?;
    docker::prepare()?;
    docs::MDBOOK.ensure()?;
    npm_packages("browser tests", "tests/browser")?;
    npm_packages("tests of the packages", "tests/packages")?;
    npm_packages("editor tests", "tests/editors")?;
    LIBRARIES.ensure()?;
    Ok(())
}

/// Install the npm packages of a directory. None of them needs a script of its own.
pub(crate) fn npm_packages(name: &str, directory: &str) -> Result<(), String> {
    println!("== installing the npm packages of the {name}");
    run(Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .arg("--prefix")
        .arg(root().join(directory))
        .env("npm_config_cache", root().join("target/tmp/cache/npm"))
        .env("npm_config_update_notifier", "false"))
}

/// Install the Debian packages of all missing [`PROGRAMS`].
fn packages() -> Result<(), String> {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, packages)| *packages)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// Install `packages` if one of `programs`, given as absolute paths, is missing.
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
    if !is_installed("apt-get") {
        return Err(format!(
            "these Debian packages, or the programs in them, are missing: {}",
            packages.join(", ")
        ));
    }
    println!("== installing missing packages: {install}");
    let prefix: &[&str] = if is_root() { &[] } else { &["sudo"] };
    for command in ["apt-get update -q", &install] {
        let mut parts = prefix.iter().copied().chain(command.split(' '));
        let Some(program) = parts.next() else {
            continue;
        };
        run(Command::new(program)
            .args(parts)
            .env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    Ok(())
}
