//! The Python environment of a project, and the command that installs its packages.

use super::packages::{Group, Packages};
use crate::{DetectContext, Dir, toolchain};
use portway_project::shell::quote;

/// A tool that manages a project's packages.
struct Manager {
    program: &'static str,
    /// The file that identifies it.
    sign: &'static str,
    /// The file with the exact versions of all packages.
    lock: &'static str,
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

/// Names of virtual environments; the first is used for a new one.
const VENVS: [&str; 3] = [".venv", "venv", "env"];

/// How a project's programs are run.
pub(super) struct Environment {
    /// The prefix of a program's name.
    before: String,
    /// The interpreter.
    pub(super) python: String,
    pub(super) prepare: Option<String>,
    pub(super) evidence: Vec<String>,
}

impl Environment {
    /// Returns the environment of the project in `dir`. `framework` is the package that must be
    /// installed, `missing` a package that is also required and that no file names.
    pub(super) fn of(
        dir: &Dir<'_>,
        packages: Option<&Packages>,
        framework: &str,
        missing: Option<&str>,
        context: &DetectContext<'_>,
    ) -> Self {
        let mut evidence = Vec::new();
        let group = packages.map_or(Group::Main, |packages| packages.group_of(framework));
        if let Some((manager, sign)) = packages.and_then(|packages| manager(dir, packages)) {
            if (context.has_program)(manager.program) {
                evidence.push(format!(
                    "{sign}, so `{}` installs its packages",
                    manager.program
                ));
                return manager.environment(&group, missing, evidence);
            }
            let is_locked = dir.upwards().any(|at| at.has(manager.lock));
            if is_locked && !has_other_venv(dir) {
                evidence.push(format!(
                    "{sign}, and `{}` is not installed, so it is installed into `{}` and installs the \
                     packages there",
                    manager.program, VENVS[0]
                ));
                return manager.environment_in_venv(dir, &group, missing, evidence);
            }
            evidence.push(format!(
                "{sign}, but `{}` is not installed, so a plain venv contains its packages",
                manager.program
            ));
        }
        let venv = VENVS.into_iter().find(|name| {
            let venv = dir.sub(name);
            venv.is_some_and(|venv| venv.has("pyvenv.cfg"))
        });
        let install = packages.and_then(|packages| to_install(packages, &group));
        if venv.is_none() && install.is_none() {
            evidence.push(format!(
                "no file names its packages, so it runs with `python3` from PATH, which must have `{framework}`"
            ));
            return Self {
                before: "python3 -m ".into(),
                python: "python3".into(),
                prepare: None,
                evidence,
            };
        }
        let name = venv.unwrap_or(VENVS[0]);
        let has_pip = venv.is_none_or(|venv| dir.sub(venv).is_some_and(|venv| gets_pip(&venv)));
        evidence.push(if has_pip {
            format!("its packages are in the venv `{name}`, which is created if it is missing")
        } else {
            format!("its packages are in the venv `{name}`, which has no pip and is not changed")
        });
        let install = install.filter(|_| has_pip).map(|install| {
            let missing = missing.map(|missing| format!(" {missing}"));
            format!(
                "[ -x {name}/bin/pip ] || {} && {name}/bin/python -m pip install -q {install}{}",
                create_venv(dir, name),
                missing.unwrap_or_default()
            )
        });
        Self {
            before: format!("{name}/bin/"),
            python: format!("{name}/bin/python"),
            prepare: install,
            evidence,
        }
    }

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
fn has_other_venv(dir: &Dir<'_>) -> bool {
    let exists = |name: &&str| dir.sub(name).is_some_and(|venv| venv.has("pyvenv.cfg"));
    let mut venvs = VENVS.iter().filter(|name| exists(name));
    venvs.any(|name| *name != VENVS[0] || !dir.sub(name).is_some_and(|venv| gets_pip(&venv)))
}

/// The last minor version of Python 3 that is tried.
const LAST_MINOR: u32 = 15;

/// Returns the shell command that creates a venv. If a file requires a version of Python, the first installed
/// interpreter that fits creates it.
fn create_venv(dir: &Dir<'_>, name: &str) -> String {
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
fn gets_pip(venv: &Dir<'_>) -> bool {
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

impl Manager {
    /// Returns the environment of a project whose manager is installed.
    fn environment(
        &self,
        group: &Group,
        missing: Option<&str>,
        evidence: Vec<String>,
    ) -> Environment {
        let mut prepare = format!("{}{}", self.prepare, self.selection(group));
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
    fn environment_in_venv(
        &self,
        dir: &Dir<'_>,
        group: &Group,
        missing: Option<&str>,
        evidence: Vec<String>,
    ) -> Environment {
        let venv = VENVS[0];
        let program = self.program;
        let own = format!("{venv}/{program}");
        let mut prepare = format!(
            "[ -x {venv}/bin/pip ] || {} && \
             [ -x {own}/bin/{program} ] || {venv}/bin/python -m venv {own} && \
             {own}/bin/python -m pip install -q {program} && {} {own}/bin/{}{}{}",
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

    /// Returns the options that select a group of packages.
    fn selection(&self, group: &Group) -> String {
        match group {
            Group::Extra(name) => format!(" {} {}", self.parts.0, quote(name)),
            Group::Requirement(name) if name != "dev" => {
                format!(" {} {}", self.parts.1, quote(name))
            }
            _ => String::new(),
        }
    }
}

/// Returns the project's package manager, and the file that identifies it.
fn manager(dir: &Dir<'_>, packages: &Packages) -> Option<(&'static Manager, String)> {
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

/// Returns the arguments of `pip install`.
fn to_install(packages: &Packages, group: &Group) -> Option<String> {
    if let Some(file) = &packages.requirements {
        return Some(format!("-r {}", quote(file)));
    }
    let project = packages.pyproject.as_ref();
    let is_package = project.is_some_and(|project| {
        let poetry = project.get("tool").and_then(|tool| tool.get("poetry"));
        let mode = poetry.and_then(|poetry| poetry.get("package-mode"));
        project.contains_key("build-system") && mode.and_then(toml::Value::as_bool) != Some(false)
    });
    if is_package {
        return Some(match group {
            Group::Extra(name) => format!("-e {}", quote(&format!(".[{name}]"))),
            Group::Main => "-e .".into(),
            Group::Requirement(_) => {
                let names: Vec<_> = packages.for_pip(group).into_iter().map(quote).collect();
                format!("-e . {}", names.join(" "))
            }
        });
    }
    let names: Vec<_> = packages.for_pip(group).into_iter().map(quote).collect();
    (!names.is_empty()).then(|| names.join(" "))
}
