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

/// The first and the last minor version of Python 3 that are tried.
const FIRST_MINOR: u32 = 6;
const LAST_MINOR: u32 = 15;

/// Returns the shell command that creates a venv: with the first installed interpreter that fits what a file
/// requires. One with the version that the project is developed with comes first, then the closest ones.
pub(super) fn create_venv(dir: &Dir<'_>, name: &str) -> String {
    let required = dir.upwards().find_map(|at| toolchain::python(&at));
    let range = required.and_then(|(text, _)| toolchain::VersionRange::parse(&text));
    let range = range.and_then(|range| {
        let minors = range.minors(3, LAST_MINOR);
        let is_narrow = !minors.is_empty() && minors.len() <= LAST_MINOR as usize;
        is_narrow.then(|| (minors, range.text().to_owned()))
    });
    let preferred = toolchain::preferred_python(dir).map(|(minor, _)| minor);
    let fits = |minor: &u32| {
        range
            .as_ref()
            .is_none_or(|(minors, _)| minors.contains(minor))
    };
    let preferred = preferred.filter(fits);
    let pythons = match (&range, preferred) {
        (None, None) => return format!("python3 -m venv {name}"),
        (_, Some(preferred)) => {
            let mut minors: Vec<u32> = (FIRST_MINOR..=LAST_MINOR).filter(fits).collect();
            // Of two that are equally close, the newer one.
            minors.sort_by_key(|minor| (minor.abs_diff(preferred), LAST_MINOR - minor));
            let minors = minors.iter().map(|minor| format!("python3.{minor}"));
            minors.chain(["python3".to_owned()]).collect::<Vec<_>>()
        }
        (Some((minors, _)), None) => {
            let minors = minors.iter().rev().map(|minor| format!("python3.{minor}"));
            ["python3".to_owned()].into_iter().chain(minors).collect()
        }
    };
    let (check, wanted) = match &range {
        Some((minors, text)) => {
            let fits: Vec<String> = minors.iter().map(u32::to_string).collect();
            let check = format!(
                "import sys; sys.exit(sys.version_info[1] not in [{}])",
                fits.join(", ")
            );
            (check, format!("no installed Python is {text}"))
        }
        None => (String::new(), "no Python is installed".to_owned()),
    };
    format!(
        "for python in {}; do \"$python\" -c '{check}' 2>/dev/null && \"$python\" -m venv {name} && break; done || {{ echo {} >&2; exit 1; }}",
        pythons.join(" "),
        quote(&wanted)
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
