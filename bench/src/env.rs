//! Programs and directories of a run, and an environment that does not depend on the machine.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// The account that [`BenchEnv::unprivileged`] uses. Tools that look up their user need one that exists.
const UNPRIVILEGED: &str = "nobody";

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
    /// The user that commands run as, if it is another one.
    user: Option<User>,
    temp: tempfile::TempDir,
}

#[derive(Clone, Copy, Debug)]
struct User {
    uid: u32,
    gid: u32,
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
        Ok(Self {
            portway: target.join("release/portway"),
            helper: std::env::current_exe().map_err(|error| error.to_string())?,
            user: None,
            temp: temporary(&cache)?,
            bench,
            cache,
        })
    }

    /// The same programs with other directories, for commands that run as an unprivileged user. Only
    /// root can create it.
    ///
    /// # Errors
    /// If the account does not exist, or cannot run Portway because it cannot read the directory.
    pub(crate) fn unprivileged(&self) -> Result<Self> {
        let id = |option| number(Command::new("id").args([option, UNPRIVILEGED]));
        let env = Self {
            bench: self.bench.clone(),
            cache: self.cache.clone(),
            portway: self.portway.clone(),
            helper: self.helper.clone(),
            user: Some(User {
                uid: id("-u")?,
                gid: id("-g")?,
            }),
            temp: temporary(&self.cache)?,
        };
        env.hand_over(env.temp.path())?;
        run(env
            .command(&env.portway, "version-home")
            .arg("--version")
            .stdout(Stdio::null()))?;
        Ok(env)
    }

    /// Give all files of the run to the user that commands run as.
    pub(crate) fn hand_over_all(&self) -> Result<()> {
        self.hand_over(self.temp.path())
    }

    fn hand_over(&self, path: &Path) -> Result<()> {
        let Some(user) = self.user else {
            return Ok(());
        };
        let fail = |error: std::io::Error| format!("{}: {error}", path.display());
        lchown(path, Some(user.uid), Some(user.gid)).map_err(fail)?;
        if path.symlink_metadata().map_err(fail)?.is_dir() {
            for entry in fs::read_dir(path).map_err(fail)? {
                self.hand_over(&entry.map_err(fail)?.path())?;
            }
        }
        Ok(())
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
        let mut command = match self.user {
            None => Command::new(program),
            Some(User { uid, gid }) => {
                let mut command = Command::new("setpriv");
                let ids = [format!("--reuid={uid}"), format!("--regid={gid}")];
                command.args(ids).arg("--clear-groups").arg(program);
                command
            }
        };
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
        self.hand_over(&dir)?;
        Ok(dir)
    }
}

fn temporary(cache: &Path) -> Result<tempfile::TempDir> {
    let temp = tempfile::Builder::new().prefix("run-").tempdir_in(cache);
    temp.map_err(|error| format!("{}: {error}", cache.display()))
}

/// Run a command that prints a number.
fn number(command: &mut Command) -> Result<u32> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let number = text.trim().parse();
    number.map_err(|_| format!("{command:?} did not print a number"))
}

/// Run a command until it exits. Returns an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status();
    match status.map_err(|error| format!("cannot run {command:?}: {error}"))? {
        status if status.success() => Ok(()),
        status => Err(format!("failed ({status}): {command:?}")),
    }
}
