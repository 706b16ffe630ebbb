//! The programs of the table that the distribution has.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::peers::Peers;
use crate::world::World;

/// The home of all programs of the table.
pub(super) const HOME: &str = "gateway-home";

/// The packages, and the libraries that no other program of a common machine has brought.
const PACKAGES: [&str; 8] = [
    "nginx",
    "caddy",
    "wrk",
    "libluajit-5.1-2",
    "nghttp2-client",
    "libev4",
    "libjemalloc2",
    "libc-ares2",
];

/// Where they are.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) nginx: PathBuf,
    pub(super) caddy: PathBuf,
    pub(super) wrk: PathBuf,
    pub(super) h2load: PathBuf,
    libraries: PathBuf,
}

impl Tools {
    /// Unpacks them; they are not installed, so no service of theirs starts.
    pub(super) fn unpack(peers: &Peers) -> Result<Self> {
        let root = peers.unpacked(&PACKAGES)?;
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        Ok(Self {
            nginx: root.join("usr/sbin/nginx"),
            caddy: root.join("usr/bin/caddy"),
            wrk: root.join("usr/bin/wrk"),
            h2load: root.join("usr/bin/h2load"),
            libraries: root.join("usr/lib").join(triplet),
        })
    }

    /// A command with one of them, which does not outlive the harness.
    pub(super) fn command(&self, world: &World, program: &Path) -> Command {
        let mut command = world.bound(program, HOME);
        command.env("LD_LIBRARY_PATH", &self.libraries);
        command
    }
}
