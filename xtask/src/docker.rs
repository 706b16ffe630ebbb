//! The Docker engine, Compose, and the images of the tests that run containers.
//!
//! Everything is made of Debian packages, so no registry of images is needed. `setup` installs the
//! engine. Compose and the images are in `target/docker`; the tests start an engine of their own.

mod images;

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::root;
use crate::debian::{self, create};
use crate::system;

/// The release with the first Debian package of Compose 2.
const RELEASE: &str = "trixie";
/// Where the package and an installed Compose have the plugin.
const PLUGIN: &str = "usr/libexec/docker/cli-plugins/docker-compose";

/// Prepare what is missing.
pub(crate) fn prepare() -> Result<(), String> {
    if !system::is_installed("dpkg-deb") || !system::is_root() {
        println!("== no images for the tests of containers: they need Debian's packages, and root");
        return Ok(());
    }
    let directory = directory();
    create(&directory)?;
    compose(&directory)?;
    images::prepare(&directory)
}

/// Where Compose and the images are.
pub(crate) fn directory() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("docker")
}

/// Copy the Compose plugin of this machine, or download that of Debian.
fn compose(directory: &Path) -> Result<(), String> {
    let plugins = directory.join("config/cli-plugins");
    let plugin = plugins.join("docker-compose");
    if plugin.is_file() {
        return Ok(());
    }
    create(&plugins)?;
    let installed = Path::new("/").join(PLUGIN);
    if installed.is_file() {
        return copy(&installed, &plugin);
    }
    println!("== downloading Compose");
    let work = directory.join("compose");
    let sources = debian::Sources::release(&work, RELEASE).map_err(|error| {
        format!("{error}\nhelp: install Docker Compose 2.24 or newer as a plugin")
    })?;
    let files = sources.download(&["docker-compose".to_owned()], &work)?;
    debian::unpack(&files, &work.join("root"))?;
    copy(&work.join("root").join(PLUGIN), &plugin)?;
    remove(&work)
}

fn remove(directory: &Path) -> Result<(), String> {
    fs::remove_dir_all(directory)
        .map_err(|error| format!("cannot remove `{}`: {error}", directory.display()))
}

/// Copy a file with its permissions. The copy appears when it is complete.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let new = to.with_extension("new");
    fs::copy(from, &new)
        .and_then(|_| fs::rename(&new, to))
        .map_err(|error| format!("cannot copy `{}`: {error}", from.display()))
}
