//! Installs the peers in fixed versions into `target/bench/`, with npm, pip, cargo, and apt-get.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::env::{BenchEnv, run};

/// The tools to compare with. An error is the reason why something is not available.
#[derive(Debug)]
pub(crate) struct Peers {
    /// The directory of the Node drivers, with `node_modules`.
    pub(crate) node: Result<PathBuf>,
    /// The directory of the Python drivers.
    pub(crate) python: Result<PathBuf>,
    cache: PathBuf,
}

impl Peers {
    /// Install the libraries for Node and Python.
    pub(crate) fn install(env: &BenchEnv) -> Result<Self> {
        copy(&env.bench.join("finders"), &env.cache.join("finders"))?;
        let copied = |name: &str| {
            let dir = env.cache.join("peers").join(name);
            copy(&env.bench.join("peers").join(name), &dir).map(|()| dir)
        };
        Ok(Self {
            node: copied("node").and_then(node),
            python: copied("python").and_then(python),
            cache: env.cache.clone(),
        })
    }

    /// For tables without Node and Python libraries. Installs nothing.
    pub(crate) fn without_libraries(env: &BenchEnv) -> Self {
        let not_installed = || Err("not installed for this table".to_owned());
        Self {
            node: not_installed(),
            python: not_installed(),
            cache: env.cache.clone(),
        }
    }

    /// Install the npm packages of `peers/NAME`. Returns the directory that contains `node_modules`.
    pub(crate) fn npm(&self, env: &BenchEnv, name: &str) -> Result<PathBuf> {
        let dir = self.cache.join("peers").join(name);
        copy(&env.bench.join("peers").join(name), &dir)?;
        node(dir)
    }

    /// Download and unpack Debian packages into a directory with this name, in the newest version.
    /// Returns the directory that contains `usr`. The packages are not installed, so that no service of
    /// theirs starts.
    pub(crate) fn unpack_debian(&self, name: &str, packages: &[&str]) -> Result<PathBuf> {
        let dir = self.cache.join("debian").join(name);
        let (root, mark) = (dir.join("root"), dir.join("unpacked"));
        let wanted = packages.join("\n");
        if fs::read_to_string(&mark).is_ok_and(|unpacked| unpacked == wanted) {
            return Ok(root);
        }
        println!("== downloading Debian packages");
        // An error means that it does not exist, or shows up in the next step.
        let _ = fs::remove_dir_all(&dir);
        let fail = |error: std::io::Error| format!("{}: {error}", dir.display());
        fs::create_dir_all(&dir).map_err(fail)?;
        run(Command::new("apt-get")
            .args(["--quiet", "--quiet", "download"])
            .args(packages)
            .current_dir(&dir))?;
        for package in fs::read_dir(&dir).map_err(fail)?.flatten() {
            run(Command::new("dpkg-deb")
                .arg("--extract")
                .arg(package.path())
                .arg(&root))?;
        }
        fs::write(&mark, wanted).map_err(fail)?;
        Ok(root)
    }

    /// A program of the Python virtual environment, such as `python` or `portserver.py`.
    pub(crate) fn python_program(&self, name: &str) -> PathBuf {
        self.cache.join("peers/python/venv/bin").join(name)
    }

    /// A program from the crate of the same name. Builds it if it is missing.
    pub(crate) fn cargo(&self, name: &str, version: &str) -> Result<PathBuf> {
        self.cargo_package(name, name, version, &[])
    }

    /// A program from a crate with another name, built with `arguments`.
    pub(crate) fn cargo_package(
        &self,
        name: &str,
        package: &str,
        version: &str,
        arguments: &[&str],
    ) -> Result<PathBuf> {
        let root = self.cache.join("cargo");
        let program = root.join("bin").join(name);
        if !program.exists() {
            println!("== building {package} {version}, once");
            let mut install = Command::new("cargo");
            install
                .args([
                    "install",
                    "--quiet",
                    "--locked",
                    "--version",
                    version,
                    package,
                ])
                .args(arguments)
                .arg("--root")
                .arg(&root)
                .env("CARGO_TARGET_DIR", self.cache.join("cargo-target"));
            run(&mut install)?;
        }
        Ok(program)
    }
}

/// Find the entry of a directory whose name contains all `parts`.
pub(crate) fn find_entry(dir: &Path, parts: &[&str]) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let has_all = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        parts.iter().all(|part| name.contains(part))
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(has_all)
        .ok_or_else(|| format!("{} contains nothing for this machine", dir.display()))
}

fn node(dir: PathBuf) -> Result<PathBuf> {
    if is_stale(&dir, "package-lock.json") {
        println!("== installing npm packages");
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--prefix"])
            .arg(&dir))?;
        mark(&dir, "package-lock.json")?;
    }
    Ok(dir)
}

fn python(dir: PathBuf) -> Result<PathBuf> {
    if is_stale(&dir, "requirements.txt") {
        println!("== installing Python packages");
        let venv = dir.join("venv");
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--requirement"])
            .arg(dir.join("requirements.txt")))?;
        mark(&dir, "requirements.txt")?;
    }
    Ok(dir)
}

/// Whether the installed packages differ from the lock file.
fn is_stale(dir: &Path, lock: &str) -> bool {
    let wanted = fs::read(dir.join(lock)).ok();
    wanted.is_none() || fs::read(dir.join("installed")).ok() != wanted
}

/// Record for which lock file the packages were installed.
fn mark(dir: &Path, lock: &str) -> Result<()> {
    fs::copy(dir.join(lock), dir.join("installed"))
        .map(|_| ())
        .map_err(|error| format!("{}: {error}", dir.display()))
}

/// Copy a directory, and overwrite existing files.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let fail = |error: std::io::Error| format!("{}: {error}", from.display());
    fs::create_dir_all(to).map_err(fail)?;
    for entry in fs::read_dir(from).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target).map_err(fail)?;
        }
    }
    Ok(())
}

/// Find a program in `PATH`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|program| program.is_file())
}
