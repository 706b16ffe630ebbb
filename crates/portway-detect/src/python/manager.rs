//! The tools that manage the packages of a project: uv, Poetry, PDM and Pipenv.

use super::packages::{Group, Packages};
use super::root_package;
use super::venv::{Environment, VENVS, create_venv};
use crate::Dir;
use portway_project::shell::quote;

/// A tool that manages a project's packages.
pub(super) struct Manager {
    pub(super) program: &'static str,
    /// The file that identifies it.
    sign: &'static str,
    /// The file with the exact versions of all packages.
    pub(super) lock: &'static str,
    prepare: &'static str,
    /// The beginning of `prepare` that makes the tool use the venv in the working directory.
    in_venv: &'static str,
    /// The end of `prepare` that makes the tool keep the other packages of the venv.
    keeping: &'static str,
    /// The options that select an extra and a group in its `prepare` command.
    parts: (&'static str, &'static str),
    run: &'static str,
    /// The option of `run` that adds a package, if it has one.
    with: Option<&'static str>,
}

const MANAGERS: [Manager; 4] = [
    Manager {
        program: "uv",
        sign: "uv.lock",
        lock: "uv.lock",
        in_venv: "UV_PROJECT_ENVIRONMENT=\"$PWD/.venv\"",
        keeping: " --inexact",
        prepare: "uv sync",
        parts: ("--extra", "--group"),
        run: "uv run",
        with: Some("--with"),
    },
    Manager {
        program: "poetry",
        sign: "poetry.lock",
        lock: "poetry.lock",
        in_venv: "POETRY_VIRTUALENVS_IN_PROJECT=1",
        keeping: "",
        prepare: "poetry install",
        parts: ("--extras", "--with"),
        run: "poetry run",
        with: None,
    },
    Manager {
        program: "pdm",
        sign: "pdm.lock",
        lock: "pdm.lock",
        in_venv: "PDM_IGNORE_SAVED_PYTHON=1",
        keeping: "",
        prepare: "pdm install",
        parts: ("--group", "--group"),
        run: "pdm run",
        with: None,
    },
    Manager {
        program: "pipenv",
        sign: "Pipfile",
        lock: "Pipfile.lock",
        in_venv: "PIPENV_VENV_IN_PROJECT=1",
        keeping: "",
        prepare: "pipenv install --dev",
        parts: ("--categories", "--categories"),
        run: "pipenv run",
        with: None,
    },
];

impl Manager {
    /// Returns the environment of a project whose manager is installed.
    pub(super) fn environment(
        &self,
        group: &Group,
        missing: Option<&str>,
        without_root: &str,
        evidence: Vec<String>,
    ) -> Environment {
        let mut prepare = format!("{}{without_root}{}", self.prepare, self.selection(group));
        let mut before = format!("{} ", self.run);
        match (missing, self.with) {
            (Some(missing), Some(with)) => before += &format!("{with} {missing} "),
            (Some(missing), None) => {
                prepare += &format!(" && {} pip install -q {missing}", self.run);
            }
            (None, _) => {}
        }
        Environment {
            python: format!("{before}python"),
            before,
            prepare: Some(prepare),
            evidence,
        }
    }

    /// Returns the environment of a project whose manager is not installed: a venv, with the manager in a
    /// venv of its own inside, so that the packages of both do not meet.
    pub(super) fn environment_in_venv(
        &self,
        dir: &Dir<'_>,
        group: &Group,
        missing: Option<&str>,
        without_root: &str,
        evidence: Vec<String>,
    ) -> Environment {
        let venv = VENVS[0];
        let program = self.program;
        let own = format!("{venv}/{program}");
        let mut prepare = format!(
            "[ -x {venv}/bin/pip ] || {} && \
             [ -x {own}/bin/{program} ] || {venv}/bin/python -m venv {own} && \
             {own}/bin/python -m pip install -q {program} && {} {own}/bin/{}{without_root}{}{}",
            create_venv(dir, venv),
            self.in_venv,
            self.prepare,
            self.keeping,
            self.selection(group),
        );
        if let Some(missing) = missing {
            prepare += &format!(" && {venv}/bin/python -m pip install -q {missing}");
        }
        Environment {
            before: format!("{venv}/bin/"),
            python: format!("{venv}/bin/python"),
            prepare: Some(prepare),
            evidence,
        }
    }

    /// Returns the option that leaves out the project itself, if it cannot be installed as a package.
    pub(super) fn without_root(
        &self,
        dir: &Dir<'_>,
        packages: Option<&Packages>,
        evidence: &mut Vec<String>,
    ) -> &'static str {
        let Some(packages) = packages.filter(|packages| packages.pyproject.is_some()) else {
            return "";
        };
        let option = match self.program {
            "poetry" if root_package::needs_no_root(dir, packages) => " --no-root",
            "uv" if root_package::needs_no_project(dir, packages) => " --no-install-project",
            _ => return "",
        };
        evidence.push(format!(
            "the directory contains no package of its name, so `{}` leaves it out",
            option.trim()
        ));
        option
    }

    /// Returns the options that select a group of packages.
    fn selection(&self, group: &Group) -> String {
        match group {
            Group::Extra(name) if !name.is_empty() => {
                format!(" {} {}", self.parts.0, quote(name))
            }
            Group::Requirement(name) => {
                format!(" {} {}", self.parts.1, quote(name))
            }
            _ => String::new(),
        }
    }
}

/// Returns the project's package manager, and the file that identifies it.
pub(super) fn manager(dir: &Dir<'_>, packages: &Packages) -> Option<(&'static Manager, String)> {
    MANAGERS.iter().find_map(|manager| {
        // A workspace's lock file is above its members.
        let locked = dir.upwards().find(|dir| dir.has(manager.sign));
        if let Some(locked) =
            locked.filter(|at| at.path() == dir.path() || packages.pyproject.is_some())
        {
            return Some((manager, format!("{} exists", locked.path_of(manager.sign))));
        }
        let tool = packages
            .pyproject
            .as_ref()?
            .get("tool")?
            .get(manager.program)?;
        tool.is_table().then(|| {
            let file = dir.path_of("pyproject.toml");
            (manager, format!("{file} has `tool.{}`", manager.program))
        })
    })
}
