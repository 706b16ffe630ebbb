//! Virtual environments: their names, how one is created, and how programs in one are run.

use crate::{Dir, toolchain};
use portway_project::shell::quote;

/// Names of virtual environments; the first is used for a new one.
pub(super) const VENVS: [&str; 3] = [".venv", "venv", "env"];

/// How a project's programs are run.
pub(super) struct Environment {
    /// The prefix of a program's name.
    pub(super) before: String,
    /// The interpreter.
    pub(super) python: String,
    pub(super) prepare: Option<String>,
    pub(super) evidence: Vec<String>,
}

impl Environment {
    /// Returns a shell command whose programs are those of its packages.
    pub(super) fn in_shell(&self, command: &str) -> String {
        if let Some(bin) = self.before.strip_suffix('/') {
            return format!("export PATH=\"$PWD/{bin}:$PATH\"; {command}");
        }
        match self.before.strip_suffix(" -m ") {
            // The programs are in PATH already.
            Some(_) => command.to_owned(),
            None if command.contains([';', '&', '|', '<', '>', '`']) => {
                format!("{}sh -c {}", self.before, quote(command))
            }
            None => format!("{}{command}", self.before),
        }
    }

    /// Returns the command of a program of one of its packages.
    pub(super) fn program(&self, name: &str) -> String {
        format!("{}{name}", self.before)
    }
}

/// Returns whether the project has a venv that this reader does not make.
pub(super) fn has_other_venv(dir: &Dir<'_>) -> bool {
    let exists = |name: &&str| dir.sub(name).is_some_and(|venv| venv.has("pyvenv.cfg"));
    let mut venvs = VENVS.iter().filter(|name| exists(name));
    venvs.any(|name| *name != VENVS[0] || !dir.sub(name).is_some_and(|venv| gets_pip(&venv)))
}

/// The last minor version of Python 3 that is tried.
const LAST_MINOR: u32 = 15;

/// Returns the shell command that creates a venv. If a file requires a version of Python, the first installed
/// interpreter that fits creates it.
pub(super) fn create_venv(dir: &Dir<'_>, name: &str) -> String {
    let plain = format!("python3 -m venv {name}");
    let required = dir.upwards().find_map(|at| toolchain::python(&at));
    let range = required.and_then(|(text, _)| toolchain::VersionRange::parse(&text));
    let Some(range) = range else {
        return plain;
    };
    let minors = range.minors(3, LAST_MINOR);
    if minors.is_empty() || minors.len() > LAST_MINOR as usize {
        return plain;
    }
    let others: String = minors
        .iter()
        .rev()
        .map(|minor| format!(" python3.{minor}"))
        .collect();
    let fits: Vec<String> = minors.iter().map(u32::to_string).collect();
    let check = format!(
        "import sys; sys.exit(sys.version_info[1] not in [{}])",
        fits.join(", ")
    );
    format!(
        "for python in python3{others}; do \"$python\" -c '{check}' 2>/dev/null && \"$python\" -m venv {name} && break; done || {{ echo {} >&2; exit 1; }}",
        quote(&format!("no installed Python is {}", range.text()))
    )
}

/// Returns whether the prepare step installs packages with pip into this environment. An environment
/// that uv created has no pip; the user keeps it up to date. One that `python3 -m venv` creates has
/// it at the end, so without pip its creation was interrupted and is repeated.
pub(super) fn gets_pip(venv: &Dir<'_>) -> bool {
    let has = |place: &str, pip: &str| venv.sub(place).is_some_and(|bin| bin.has(pip));
    if has("bin", "pip") || has("Scripts", "pip.exe") {
        return true;
    }
    let settings = venv.read("pyvenv.cfg").unwrap_or_default();
    !settings.lines().any(|line| match line.split_once('=') {
        Some((key, value)) => {
            ["uv", "virtualenv"].contains(&key.trim()) || value.contains("--without-pip")
        }
        None => false,
    })
}
