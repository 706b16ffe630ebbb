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

impl PythonTool {
    /// Return the path of the program; install it first if this version is missing.
    pub(crate) fn ensure(&self) -> Result<PathBuf, String> {
        let Self {
            package,
            version,
            program,
        } = self;
        let directory = root().join("target/tools/python").join(package);
        let path = directory.join("bin").join(program);
        // Written last, so an interrupted installation is repeated.
        let record = directory.join("installed-version");
        let installed = fs::read_to_string(&record).unwrap_or_default();
        if installed != *version {
            println!("== installing {package} {version} into target/tools");
            run(Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&directory))?;
            run(Command::new(directory.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .env("PIP_CACHE_DIR", root().join("target/tmp/cache/pip"))
                .arg(format!("{package}=={version}")))?;
            fs::write(&record, version)
                .map_err(|error| format!("cannot write `{}`: {error}", record.display()))?;
        }
        Ok(path)
    }
}
