//! Where everything is, and an environment in which nothing of the machine's matters.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// The places of a run. What lies in `temp` goes with it.
#[derive(Debug)]
pub(crate) struct World {
    /// `bench/` of the source.
    pub(crate) bench: PathBuf,
    /// Where the peers are installed; kept from run to run.
    pub(crate) cache: PathBuf,
    /// The release binary of Portway.
    pub(crate) portway: PathBuf,
    /// This program, which is also the service that is started.
    pub(crate) helper: PathBuf,
    temp: tempfile::TempDir,
}

impl World {
    /// Builds Portway and makes the directories.
    pub(crate) fn new() -> Result<Self> {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR")).to_owned();
        let root = bench.parent().unwrap_or(&bench);
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |dir| root.join(dir));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--release", "--package", "portway"]);
        run(build.current_dir(root))?;
        let cache = target.join("bench");
        fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
        let temp = tempfile::Builder::new().prefix("run-").tempdir_in(&cache);
        Ok(Self {
            portway: target.join("release/portway"),
            helper: std::env::current_exe().map_err(|error| error.to_string())?,
            temp: temp.map_err(|error| format!("{}: {error}", cache.display()))?,
            bench,
            cache,
        })
    }

    /// A path of this run alone.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// A new empty directory of this run; one that was there is emptied.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// A command whose state of every kind lies below `home` of this run.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, home: &str) -> Command {
        let home = self.path(home);
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("HOME", home)
            .stdin(Stdio::null());
        command
    }

    /// As [`World::command`], for what must not outlive the harness, however that ends.
    pub(crate) fn bound(&self, program: impl AsRef<OsStr>, home: &str) -> Command {
        let mut command = self.command("setpriv", home);
        command.args(["--pdeathsig", "TERM"]).arg(program);
        command
    }

    /// A checkout with a manifest.
    pub(crate) fn checkout(&self, name: &str, manifest: &str) -> Result<PathBuf> {
        let dir = self.fresh(name)?;
        fs::create_dir(dir.join(".git"))
            .and_then(|()| fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n"))
            .and_then(|()| fs::write(dir.join("portway.toml"), manifest))
            .map_err(|error| format!("{}: {error}", dir.display()))?;
        Ok(dir)
    }
}

/// Runs a command to its end; its failure is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status();
    match status.map_err(|error| format!("cannot run {command:?}: {error}"))? {
        status if status.success() => Ok(()),
        status => Err(format!("failed ({status}): {command:?}")),
    }
}
