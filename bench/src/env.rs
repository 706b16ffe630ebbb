//! Programs and directories of a run, and an environment that does not depend on the machine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// Programs and directories of a run. Its temporary directory is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct BenchEnv {
    /// The source directory `bench/`.
    pub(crate) bench: PathBuf,
    /// The directory of the installed peers, kept between runs.
    pub(crate) cache: PathBuf,
    /// The release binary of Portway.
    pub(crate) portway: PathBuf,
    /// This program, which also implements the measured services.
    pub(crate) helper: PathBuf,
    temp: tempfile::TempDir,
}

impl BenchEnv {
    /// Build Portway and create the directories.
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

    /// A path in the temporary directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Create an empty temporary directory. An existing one is emptied.
    pub(crate) fn empty_dir(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        // An error means that it does not exist, or shows up in the next step.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// A command that keeps its state and configuration in the temporary directory `home`.
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

    /// Like [`BenchEnv::command`], for a process that stops when the harness exits for any reason.
    pub(crate) fn child_command(&self, program: impl AsRef<OsStr>, home: &str) -> Command {
        let mut command = self.command("setpriv", home);
        command.args(["--pdeathsig", "TERM"]).arg(program);
        command
    }

    /// Create a checkout with a manifest.
    pub(crate) fn checkout(&self, name: &str, manifest: &str) -> Result<PathBuf> {
        let dir = self.empty_dir(name)?;
        fs::create_dir(dir.join(".git"))
            .and_then(|()| fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n"))
            .and_then(|()| fs::write(dir.join("portway.toml"), manifest))
            .map_err(|error| format!("{}: {error}", dir.display()))?;
        Ok(dir)
    }
}

/// Run a command until it exits. Returns an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status();
    match status.map_err(|error| format!("cannot run {command:?}: {error}"))? {
        status if status.success() => Ok(()),
        status => Err(format!("failed ({status}): {command:?}")),
    }
}
