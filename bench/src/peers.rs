//! The peers, installed by the ordinary clients from pinned versions into `target/bench/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::world::{World, run};

/// What a table can be measured beside; the reason where something cannot be had here.
#[derive(Debug)]
pub(crate) struct Peers {
    /// The directory of the Node drivers, with `node_modules`.
    pub(crate) node: Result<PathBuf>,
    /// The directory of the Python drivers.
    pub(crate) python: Result<PathBuf>,
    cache: PathBuf,
}

impl Peers {
    /// Installs the libraries for Node and Python, or says why not.
    pub(crate) fn install(world: &World) -> Result<Self> {
        copy(&world.bench.join("finders"), &world.cache.join("finders"))?;
        let copied = |name: &str| {
            let dir = world.cache.join("peers").join(name);
            copy(&world.bench.join("peers").join(name), &dir).map(|()| dir)
        };
        Ok(Self {
            node: copied("node").and_then(node),
            python: copied("python").and_then(python),
            cache: world.cache.clone(),
        })
    }

    /// For tables whose peers are programs alone: nothing is installed beforehand.
    pub(crate) fn programs(world: &World) -> Self {
        let unwanted = || Err("not wanted here".to_owned());
        Self {
            node: unwanted(),
            python: unwanted(),
            cache: world.cache.clone(),
        }
    }

    /// The packages of `peers/NAME` from the npm registry: the directory that has `node_modules`.
    pub(crate) fn npm(&self, world: &World, name: &str) -> Result<PathBuf> {
        let dir = self.cache.join("peers").join(name);
        copy(&world.bench.join("peers").join(name), &dir)?;
        node(dir)
    }

    /// The root below which packages of the distribution are unpacked, as new as it has them.
    /// Nothing is installed, so no service starts and the machine stays as it was.
    pub(crate) fn unpacked(&self, packages: &[&str]) -> Result<PathBuf> {
        let dir = self.cache.join("debian");
        let (root, mark) = (dir.join("root"), dir.join("unpacked"));
        let wanted = packages.join("\n");
        if fs::read_to_string(&mark).is_ok_and(|has| has == wanted) {
            return Ok(root);
        }
        println!("== packages of the distribution");
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

    /// The virtual environment's program, such as `python` or `portserver.py`.
    pub(crate) fn python_program(&self, name: &str) -> PathBuf {
        self.cache.join("peers/python/venv/bin").join(name)
    }

    /// A program from the Rust registry, built where it is not there yet.
    pub(crate) fn crates(&self, name: &str, version: &str) -> Result<PathBuf> {
        self.built(name, name, version, &[])
    }

    /// The program `name` of a package that is called otherwise, built with `arguments`.
    pub(crate) fn built(
        &self,
        name: &str,
        package: &str,
        version: &str,
        arguments: &[&str],
    ) -> Result<PathBuf> {
        let root = self.cache.join("cargo");
        let program = root.join("bin").join(name);
        if !program.exists() {
            println!("== {package} {version}: built once");
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

/// The entry of a directory that has all of `words` in its name.
pub(crate) fn inside(dir: &Path, words: &[&str]) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let has_all = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        words.iter().all(|word| name.contains(word))
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(has_all)
        .ok_or_else(|| format!("{} has nothing for this machine", dir.display()))
}

fn node(dir: PathBuf) -> Result<PathBuf> {
    if is_stale(&dir, "package-lock.json") {
        println!("== npm packages of the peers");
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund", "--prefix"])
            .arg(&dir))?;
        mark(&dir, "package-lock.json")?;
    }
    Ok(dir)
}

fn python(dir: PathBuf) -> Result<PathBuf> {
    if is_stale(&dir, "requirements.txt") {
        println!("== Python packages of the peers");
        let venv = dir.join("venv");
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--requirement"])
            .arg(dir.join("requirements.txt")))?;
        mark(&dir, "requirements.txt")?;
    }
    Ok(dir)
}

/// Whether something else than what the lock file says is installed.
fn is_stale(dir: &Path, lock: &str) -> bool {
    let wanted = fs::read(dir.join(lock)).ok();
    wanted.is_none() || fs::read(dir.join("installed")).ok() != wanted
}

fn mark(dir: &Path, lock: &str) -> Result<()> {
    fs::copy(dir.join(lock), dir.join("installed"))
        .map(|_| ())
        .map_err(|error| format!("{}: {error}", dir.display()))
}

/// Copies files and directories over what is there.
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

/// Where a program of the machine is.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|program| program.is_file())
}
