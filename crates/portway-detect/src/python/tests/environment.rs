use super::*;

#[test]
fn installs_packages_with_the_project_manager() {
    let project = "[project]\nname = 'x'\ndependencies = ['fastapi>=0.1', 'uvicorn']\n";
    let optional =
        "[project]\nname = 'x'\n[project.optional-dependencies]\nweb = ['fastapi[all]']\n";
    let poetry = "[tool.poetry.dependencies]\npython = '^3.11'\nfastapi = '^0.100'\nuvicorn = {version = '>=0.2', extras = ['standard']}\n";
    let locked = [("uv.lock", "")];
    for (pyproject, lock, programs, prepare, before) in [
        (
            project,
            &locked[..],
            &["uv"][..],
            "uv sync",
            "uv run uvicorn",
        ),
        (
            optional,
            &locked,
            &["uv"],
            "uv sync --extra web",
            "uv run uvicorn",
        ),
        (
            "[tool.uv]\n[project]\ndependencies = ['fastapi']",
            &[],
            &["uv"],
            "uv sync",
            "uv run --with uvicorn uvicorn",
        ),
        (
            poetry,
            &[],
            &["poetry"],
            "poetry install",
            "poetry run uvicorn",
        ),
    ] {
        let mut files = vec![("pyproject.toml", pyproject), ("main.py", FASTAPI)];
        files.extend(lock);
        let found = only(&files, programs);
        assert_eq!(found.prepare.as_deref(), Some(prepare));
        assert!(
            found.command.starts_with(&format!("{before} main:app")),
            "{}",
            found.command
        );
    }
    // Without the tool and without exact versions, a plain virtual environment.
    for (pyproject, install) in [
        (project, "'fastapi>=0.1' uvicorn"),
        (optional, "'fastapi[all]'"),
        (poetry, "'fastapi>=0.100,<0.101' 'uvicorn[standard]>=0.2'"),
    ] {
        let tool = "\n[tool.uv]\nx = 1";
        let pyproject = match pyproject == poetry {
            true => poetry.to_owned(),
            false => format!("{pyproject}{tool}"),
        };
        let files = [("pyproject.toml", pyproject.as_str()), ("main.py", FASTAPI)];
        let found = only(&files, &["python3"]);
        let prepare = found.prepare.as_deref().unwrap();
        if pyproject == poetry {
            // The first interpreter that fits creates the venv.
            assert!(
                prepare.contains("for python in python3 python3.15 "),
                "{prepare}"
            );
            assert!(prepare.contains("not in [11, 12, 13, 14, 15]"), "{prepare}");
            assert!(prepare.ends_with(install), "{prepare}");
        } else {
            assert_eq!(prepare, format!("{VENV}{install}"));
        }
        found.has_evidence("is not installed, so a plain venv");
    }
}

#[test]
fn prefers_the_version_that_the_project_is_developed_with() {
    let listed = |files: &[(&str, &str)]| {
        let mut all = vec![("requirements.txt", "fastapi\n"), ("main.py", FASTAPI)];
        all.extend(files);
        let prepare = only(&all, &["python3"]).prepare.unwrap();
        let listed = prepare.split_once("for python in ");
        listed.map(|(_, rest)| rest.split_once(';').unwrap().0.to_owned())
    };
    let starts = |files: &[(&str, &str)], start: &str| {
        let listed = listed(files).unwrap();
        assert!(listed.starts_with(start), "{files:?}: {listed}");
        assert!(listed.ends_with(" python3"), "{files:?}: {listed}");
    };
    let old = ("Dockerfile", "FROM python:3.9-slim\n");
    starts(&[old], "python3.9 python3.10 python3.8 ");
    starts(
        &[("Dockerfile", "FROM python:3.99\n")],
        "python3.15 python3.14 ",
    );
    starts(
        &[("docker/api/Dockerfile", "FROM python:3.12\n")],
        "python3.12 python3.13 ",
    );
    starts(&[("runtime.txt", "python-3.8.4\n"), old], "python3.8 ");
    starts(&[(".python-version", "3.12.1\n")], "python3.12 python3.13 ");
    let pyproject = "[project]\nname = 'x'\nrequires-python = '>=3.11,<3.14'\n";
    let newer = ("Dockerfile", "FROM python:3.13-slim\n");
    assert_eq!(
        listed(&[("pyproject.toml", pyproject), newer]).unwrap(),
        "python3.13 python3.12 python3.11 python3"
    );
    // A Dockerfile that contradicts what the project requires does not count.
    assert_eq!(
        listed(&[("pyproject.toml", pyproject), old]).unwrap(),
        "python3 python3.13 python3.12 python3.11"
    );
    assert_eq!(listed(&[("Dockerfile", "FROM node:22\n")]), None);
}

#[test]
fn installs_the_manager_of_exact_versions() {
    let project = "[project]\nname = 'x'\ndependencies = ['fastapi', 'uvicorn']\n";
    let optional =
        "[project]\nname = 'x'\n[project.optional-dependencies]\nweb = ['fastapi[all]']\n";
    let poetry = "[tool.poetry.dependencies]\nfastapi = '*'\nuvicorn = '*'\n";
    let pipfile = "[packages]\nfastapi = '*'\n";
    for (file, text, lock, end) in [
        (
            "pyproject.toml",
            project,
            "uv.lock",
            ".venv/uv/bin/python -m pip install -q uv && \
             UV_PROJECT_ENVIRONMENT=\"$PWD/.venv\" .venv/uv/bin/uv sync --inexact",
        ),
        (
            "pyproject.toml",
            optional,
            "uv.lock",
            ".venv/uv/bin/uv sync --inexact --extra web",
        ),
        (
            "pyproject.toml",
            poetry,
            "poetry.lock",
            "POETRY_VIRTUALENVS_IN_PROJECT=1 .venv/poetry/bin/poetry install",
        ),
        (
            "Pipfile",
            pipfile,
            "Pipfile.lock",
            "PIPENV_VENV_IN_PROJECT=1 .venv/pipenv/bin/pipenv install --dev && \
             .venv/bin/python -m pip install -q uvicorn",
        ),
    ] {
        let mut files = vec![(file, text), (lock, ""), ("main.py", FASTAPI)];
        // The same after it was prepared.
        for prepared in [false, true] {
            if prepared {
                files.extend([(".venv/pyvenv.cfg", ""), (".venv/bin/pip", "")]);
            }
            let found = only(&files, &["python3"]);
            let prepare = found.prepare.as_deref().unwrap();
            assert!(prepare.ends_with(end), "{prepare}");
            assert!(found.command.starts_with(".venv/bin/uvicorn main:app"));
            found.has_evidence("is not installed, so it is installed into `.venv`");
        }
        // An environment of the user stays as it is.
        let files = [files[0], files[1], files[2], ("venv/pyvenv.cfg", "")];
        let found = only(&files, &["python3"]);
        assert!(found.command.starts_with("venv/bin/uvicorn main:app"));
    }
}

#[test]
fn installs_a_package_with_its_metadata() {
    let built = "[build-system]\nrequires = []\n[project]\nname = 'x'\ndependencies = ['flask']\n";
    let files = [("pyproject.toml", built), ("app.py", FLASK)];
    assert_eq!(only(&files, &[]).prepare, Some(format!("{VENV}-e .")));
    let pipfile = "[packages]\nflask = '*'\n[dev-packages]\npytest = '*'";
    let files = [("Pipfile", pipfile), ("app.py", FLASK)];
    assert_eq!(
        only(&files, &[]).prepare,
        Some(format!("{VENV}flask pytest"))
    );
    let found = only(&files, &["pipenv"]);
    assert_eq!(found.prepare.as_deref(), Some("pipenv install --dev"));
    assert!(found.command.starts_with("pipenv run flask --app app"));
}

#[test]
fn uses_an_existing_environment() {
    let files = [
        ("requirements.txt", "flask"),
        ("app.py", FLASK),
        ("venv/pyvenv.cfg", ""),
        ("venv/bin/pip", ""),
    ];
    let found = only(&files, &[]);
    assert!(found.command.starts_with("venv/bin/flask "));
    assert!(
        found
            .prepare
            .is_some_and(|prepare| prepare.contains("venv/bin/python -m pip install"))
    );
    let files = [files[0], files[1], ("venv/pyvenv.cfg", "uv = 0.8.1")];
    let found = only(&files, &[]);
    assert_eq!(found.prepare, None);
    found.has_evidence("has no pip and is not changed");
}

#[test]
fn installs_a_server_that_no_file_names() {
    let found = only(
        &[("requirements.txt", "fastapi"), ("main.py", FASTAPI)],
        &[],
    );
    assert_eq!(
        found.prepare,
        Some(format!("{VENV}-r requirements.txt uvicorn"))
    );
    found.has_evidence("no file names a server such as `uvicorn`, so it is installed as well");
}
