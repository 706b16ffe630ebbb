//! The Python environment of a project, and the command that installs its packages.

use super::local::{self, Arguments};
use super::manager::manager;
use super::packages::{Group, Packages};
use super::venv::{Environment, VENVS, create_venv, gets_pip, has_other_venv};
use crate::{DetectContext, Dir};
use portway_project::shell::quote;

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
                let whole = manager.without_root(dir, packages, &mut evidence);
                return manager.environment(&group, missing, whole, evidence);
            }
            let is_locked = dir.upwards().any(|at| at.has(manager.lock));
            if is_locked && !has_other_venv(dir) {
                evidence.push(format!(
                    "{sign}, and `{}` is not installed, so it is installed into `{}` and installs the \
                     packages there",
                    manager.program, VENVS[0]
                ));
                let whole = manager.without_root(dir, packages, &mut evidence);
                return manager.environment_in_venv(dir, &group, missing, whole, evidence);
            }
            let file = packages.and_then(|packages| packages.requirements.as_deref());
            let is_enough = packages.is_some_and(|packages| packages.requires(framework));
            let packages = match file {
                Some(file) if is_enough => format!("the packages of {}", dir.path_of(file)),
                _ => "its packages".to_owned(),
            };
            evidence.push(format!(
                "{sign}, but `{}` is not installed, so a plain venv contains {packages}",
                manager.program
            ));
        }
        let venv = VENVS.into_iter().find(|name| {
            let venv = dir.sub(name);
            venv.is_some_and(|venv| venv.has("pyvenv.cfg"))
        });
        let to_install = packages.map(|packages| to_install(dir, packages, framework, &group));
        let Arguments {
            words, left_out, ..
        } = to_install.unwrap_or_default();
        let install = (!words.is_empty()).then(|| words.join(" "));
        evidence.extend(left_out.iter().map(|one| {
            format!("{one}, so it is not installed: pip would install another package of that name")
        }));
        if venv.is_none() && install.is_none() {
            evidence.push(without_packages(
                dir,
                packages,
                framework,
                !left_out.is_empty(),
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
}

/// Returns the evidence of an application whose packages Portway does not install.
fn without_packages(
    dir: &Dir<'_>,
    packages: Option<&Packages>,
    framework: &str,
    is_left_out: bool,
) -> String {
    let python = "so it runs with `python3` from PATH";
    if let Some(file) = packages.and_then(|packages| packages.conda) {
        return format!(
            "{place} names its packages for conda, {python}: create that environment with `conda env create -f {place}`, activate it, and start Portway there",
            place = dir.path_of(file)
        );
    }
    match (framework.is_empty(), is_left_out) {
        (true, _) => format!("no file names its packages, {python}"),
        (false, true) => {
            format!("none of its packages is installed, {python}, which must have `{framework}`")
        }
        (false, false) => {
            format!("no file names its packages, {python}, which must have `{framework}`")
        }
    }
}

/// Returns the arguments of `pip install`, and what is not installed.
fn to_install(dir: &Dir<'_>, packages: &Packages, framework: &str, group: &Group) -> Arguments {
    if packages.conda.is_some() {
        return Arguments::default();
    }
    let mut all = match &packages.requirements {
        Some(_) if packages.requires(framework) => Arguments::default(),
        _ => local::arguments(dir, packages, group),
    };
    if let Some(file) = &packages.requirements {
        let option = ["-r".to_owned(), quote(file).into_owned()];
        all.words.splice(0..0, option);
    }
    if let Some(index) = packages
        .indexes
        .primary
        .as_ref()
        .filter(|_| !all.words.is_empty())
    {
        let option = ["--index-url".to_owned(), quote(index).into_owned()];
        all.words.splice(0..0, option);
    }
    all
}
