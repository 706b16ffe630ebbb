//! The programs from Debian packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::env::BenchEnv;
use crate::peers::Peers;

/// The home directory of all programs.
pub(super) const HOME: &str = "gateway-home";

/// The packages, and those of their libraries that a typical machine does not have.
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

/// The paths of the programs.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(super) nginx: PathBuf,
    pub(super) caddy: PathBuf,
    pub(super) wrk: PathBuf,
    pub(super) h2load: PathBuf,
    /// The directory for `LD_LIBRARY_PATH`.
    libraries: PathBuf,
}

impl Tools {
    /// Download and unpack the packages.
    pub(crate) fn unpack(peers: &Peers) -> Result<Self> {
        let root = peers.unpack_debian("gateway", &PACKAGES)?;
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        Ok(Self {
            nginx: root.join("usr/sbin/nginx"),
            caddy: root.join("usr/bin/caddy"),
            wrk: root.join("usr/bin/wrk"),
            h2load: root.join("usr/bin/h2load"),
            libraries: root.join("usr/lib").join(triplet),
        })
    }

    /// A command with one of the programs, which stops when the harness exits.
    pub(super) fn command(&self, env: &BenchEnv, program: &Path) -> Command {
        let mut command = env.child_command(program, HOME);
        command.env("LD_LIBRARY_PATH", &self.libraries);
        command
    }
}
