//! Tools from PyPI that the project uses, installed into `target/tools` in fixed versions.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{root, run};

/// A tool from PyPI, in a virtual environment of its own.
#[derive(Debug)]
pub(crate) struct PythonTool {
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// The name of the program.
    pub(crate) program: &'static str,
}

/// Sends random requests to an API, and compares the responses with its OpenAPI description.
pub(crate) const SCHEMATHESIS: PythonTool = PythonTool {
    package: "schemathesis",
    version: "4.32.5",
    program: "st",
};

/// Packages from PyPI that tests use together, in a virtual environment of their own.
#[derive(Debug)]
pub(crate) struct PythonPackages {
    pub(crate) name: &'static str,
    /// The file with the packages and their versions, from the root of the repository.
    pub(crate) requirements: &'static str,
}

/// The libraries for which the Python package has helpers, and pytest.
pub(crate) const LIBRARIES: PythonPackages = PythonPackages {
    name: "libraries",
    requirements: "tests/packages/python/requirements.txt",
};

impl PythonPackages {
    /// Return the path of the interpreter; install the packages first if their file has changed.
    pub(crate) fn ensure(&self) -> Result<PathBuf, String> {
        let file = root().join(self.requirements);
        let wanted = fs::read_to_string(&file)
            .map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
        let directory = install(
            self.name,
            &wanted,
            &["--requirement", &file.to_string_lossy()],
        )?;
        Ok(directory.join("bin/python"))
    }
}

impl PythonTool {
    /// Return the path of the program; install it first if this version is missing.
    pub(crate) fn ensure(&self) -> Result<PathBuf, String> {
        let Self {
            package,
            version,
            program,
        } = self;
        let directory = install(package, version, &[&format!("{package}=={version}")])?;
        Ok(directory.join("bin").join(program))
    }
}

/// Install into the virtual environment `name`, unless it has been made with the same `version`.
fn install(name: &str, version: &str, arguments: &[&str]) -> Result<PathBuf, String> {
    let directory = root().join("target/tools/python").join(name);
    // Written last, so an interrupted installation is repeated.
    let record = directory.join("installed-version");
    if fs::read_to_string(&record).unwrap_or_default() != version {
        println!("== installing {} into target/tools", arguments.join(" "));
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&directory))?;
        run(Command::new(directory.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(arguments)
            .env("PIP_CACHE_DIR", root().join("target/tmp/cache/pip")))?;
        fs::write(&record, version)
            .map_err(|error| format!("cannot write `{}`: {error}", record.display()))?;
    }
    Ok(directory)
}
