//! Where packages come from without the tool that the project is written for.

use super::{FASTAPI, FLASK, VENV};
use crate::fixture::{checkout, only};

/// Returns the arguments of pip for a project whose tool is not installed.
fn installs(files: &[(&str, &str)]) -> String {
    let main = ("main.py", FASTAPI);
    let files: Vec<_> = files.iter().copied().chain([main]).collect();
    let prepare = only(&files, &["python3"]).prepare.unwrap();
    let (_, arguments) = prepare.split_once("pip install -q ").unwrap();
    arguments.to_owned()
}

#[test]
fn packages_come_from_where_poetry_takes_them() {
    let pyproject = "[tool.poetry.dependencies]\n\
        fastapi = '*'\nuvicorn = '*'\n\
        aa = {path = '../aa', develop = true}\n\
        bb = {git = 'https://example.com/bb.git', tag = 'v1', subdirectory = 'py', extras = ['x']}\n\
        cc = {git = 'git@example.com:team/cc.git', branch = 'main'}\n\
        dd = {url = 'https://example.com/dd-1.0.whl'}\n\
        ee = {version = '^1', platform = 'win32'}\n\
        ff = [{version = '^1', python = '<3.9'}, {version = '^2', python = '>=3.9'}]\n\
        gg = {version = '*', markers = \"os_name == 'posix' or os_name == 'nt'\", python = '^3.9'}\n\
        hh = {file = 'wheels/hh-1.whl'}\n\
        oo = {version = '*', optional = true}\n";
    assert_eq!(
        installs(&[("pyproject.toml", pyproject)]),
        "-e ../aa 'bb[x] @ git+https://example.com/bb.git@v1#subdirectory=py' \
         'cc @ git+ssh://git@example.com/team/cc.git@main' 'dd @ https://example.com/dd-1.0.whl' \
         'ee>=1,<2; sys_platform == \"win32\"' fastapi \
         'ff>=1,<2; python_version < \"3.9\"' 'ff>=2,<3; python_version >= \"3.9\"' \
         \"gg; (os_name == 'posix' or os_name == 'nt') and python_version >= \\\"3.9\\\" and python_version < \\\"4\\\"\" \
         ./wheels/hh-1.whl uvicorn"
    );
}

#[test]
fn packages_come_from_where_uv_takes_them() {
    let pyproject = "[project]\nname = 'x'\n\
        dependencies = ['fastapi', 'uvicorn', 'own_lib[fast]', 'sibling', 'far>=1; python_version > \"3\"', 'torch']\n\
        [dependency-groups]\ndev = ['debug', {include-group = 'more'}]\nmore = ['extra']\ndocs = ['sphinx']\n\
        [tool.uv.sources]\nown-lib = {path = 'libs/own', editable = true}\nsibling = {workspace = true}\n\
        far = {git = 'https://example.com/far', rev = 'abc'}\ntorch = {index = 'other'}\n\
        [[tool.uv.index]]\nname = 'other'\nurl = 'https://example.com/simple'\nexplicit = true\n\
        [tool.uv.workspace]\nmembers = ['libs/*']\n";
    let files = [
        ("pyproject.toml", pyproject),
        (
            "libs/own/pyproject.toml",
            "[project]\nname = 'own-lib'\ndependencies = ['requests', 'third']\n[tool.uv.sources]\nthird = {workspace = true}\n",
        ),
        ("libs/sib/pyproject.toml", "[project]\nname = 'sibling'\n"),
        ("libs/third/pyproject.toml", "[project]\nname = 'third'\n"),
    ];
    assert_eq!(
        installs(&files),
        "debug extra 'far @ git+https://example.com/far@abc ; python_version > \"3\"' fastapi \
         -e './libs/own[fast]' -e ./libs/third -e ./libs/sib uvicorn"
    );
    let all: Vec<_> = files.into_iter().chain([("main.py", FASTAPI)]).collect();
    only(&all, &["python3"])
        .has_evidence("`torch` comes from the index `other`, so it is not installed");
}

#[test]
fn a_package_that_needs_a_refused_one_is_not_installed() {
    let files = [
        (
            "pyproject.toml",
            "[build-system]\nrequires = []\n[project]\nname = 'x'\ndependencies = ['fastapi', 'uvicorn', 'lib']\n\
             [tool.uv.sources]\nlib = {path = 'lib'}\n",
        ),
        (
            "lib/pyproject.toml",
            "[project]\nname = 'lib'\ndependencies = ['secret']\n[tool.uv.sources]\nsecret = {index = 'own'}\n",
        ),
    ];
    // Nor is the project itself, whose metadata names `lib`.
    assert_eq!(installs(&files), "fastapi uvicorn");
    let complete = [
        files[0],
        ("lib/pyproject.toml", "[project]\nname = 'lib'\n"),
    ];
    assert_eq!(installs(&complete), "-e . -e ./lib");
}

#[test]
fn packages_come_from_where_others_take_them() {
    for (file, text, expected) in [
        (
            "Pipfile",
            "[packages]\nfastapi = '*'\nuvicorn = '*'\naa = {path = './aa', editable = true}\n\
             bb = {git = 'https://example.com/bb.git', ref = 'main', editable = true}\n\
             cc = {version = '==1', sys_platform = \"== 'win32'\"}\n[dev-packages]\ndd = '*'\n",
            "'bb @ git+https://example.com/bb.git@main' \"cc==1; sys_platform == 'win32'\" dd fastapi uvicorn",
        ),
        (
            "pyproject.toml",
            "[project]\nname = 'x'\ndependencies = ['fastapi', 'uvicorn', 'aa @ file:///${PROJECT_ROOT}/../aa']\n\
             [tool.pdm.dev-dependencies]\ntest = ['bb', '-e file:///${PROJECT_ROOT}/sub#egg=cc']\n",
            "-e ../aa bb fastapi uvicorn",
        ),
        (
            "pyproject.toml",
            "[project]\nname = 'x'\ndependencies = ['fastapi', 'uvicorn']\n\
             [tool.hatch.envs.default]\ndependencies = ['bb', 'cc @ {root:uri}/../cc', 'dd @ {env:X}/d']\n",
            "bb -e ../cc fastapi uvicorn",
        ),
    ] {
        assert_eq!(installs(&[(file, text)]), expected);
    }
    let setup = "setup(name='x', install_requires=['fastapi', 'uvicorn'])";
    assert_eq!(installs(&[("setup.py", setup)]), "-e .");
}

#[test]
fn packages_of_another_index_do_not_come_from_pypi() {
    let pyproject = "[tool.poetry.dependencies]\nfastapi = '*'\nuvicorn = '*'\naa = {version = '1', source = 'own'}\n\
        bb = {version = '1', source = 'PyPI'}\n[[tool.poetry.source]]\nname = 'own'\nurl = 'https://example.com/simple'\n";
    let explicit = format!("{pyproject}priority = 'explicit'\n");
    assert_eq!(
        installs(&[("pyproject.toml", explicit.as_str())]),
        "'bb==1' fastapi uvicorn"
    );
    assert_eq!(
        installs(&[("pyproject.toml", pyproject)]),
        "--index-url https://example.com/simple 'bb==1' fastapi uvicorn"
    );
}

#[test]
fn poetry_leaves_out_a_project_without_a_package() {
    let pyproject = "[tool.poetry]\nname = 'the-shop'\n[tool.poetry.dependencies]\nfastapi = '*'\nuvicorn = '*'\n";
    let built = format!("{pyproject}[build-system]\nbuild-backend = 'poetry.core.masonry.api'\n");
    for (more, rest, is_left_out) in [
        ("", &[][..], true),
        ("", &[("the_shop/x.py", "")], false),
        ("", &[("src/the_shop/x.py", "")], false),
        ("", &[("the_shop.py", "")], false),
        ("packages = [{include = 'x'}]\n", &[], true),
        (
            "packages = [{include = 'x', from = 'lib'}]\n",
            &[("lib/x/a.py", "")],
            false,
        ),
        ("readme = 'README.md'\n", &[("the_shop.py", "")], true),
        ("package-mode = false\n", &[], false),
    ] {
        let text = built.replace("name = 'the-shop'\n", &format!("name = 'the-shop'\n{more}"));
        let mut files = vec![
            ("pyproject.toml", text.as_str()),
            ("main.py", FASTAPI),
            ("poetry.lock", ""),
        ];
        files.extend(rest);
        for programs in [&["poetry"][..], &["python3"]] {
            let found = only(&files, programs);
            let prepare = found.prepare.unwrap();
            let has = prepare.contains("poetry install --no-root");
            assert_eq!(has, is_left_out, "{more}: {prepare}");
        }
        // pip cannot install such a project either.
        files.pop();
        files.retain(|(name, _)| *name != "poetry.lock");
        let prepare = only(&files, &["python3"]).prepare.unwrap();
        assert!(
            !is_left_out || !prepare.contains("-e ."),
            "{more}: {prepare}"
        );
    }
}

#[test]
fn a_project_that_hatchling_cannot_build_is_not_installed() {
    let text = "[project]\nname = 'shop'\ndependencies = ['fastapi', 'uvicorn']\n[build-system]\nbuild-backend = 'hatchling.build'\n";
    let files = [
        ("pyproject.toml", text),
        ("uv.lock", ""),
        ("app/main.py", FASTAPI),
    ];
    let found = only(&files, &["uv"]);
    assert_eq!(
        found.prepare.as_deref(),
        Some("uv sync --no-install-project")
    );
    let found = only(&[files[0], ("shop/main.py", FASTAPI)], &["python3"]);
    assert_eq!(found.prepare, Some(format!("{VENV}-e .")));
}

#[test]
fn says_which_packages_a_plain_venv_contains() {
    let files = [
        (
            "Pipfile",
            "[packages]\nflask = '*'\nlib = {path = './lib'}\n",
        ),
        ("requirements.txt", "flask\n"),
        ("app.py", FLASK),
    ];
    only(&files, &["python3"])
        .has_evidence("a plain venv contains the packages of requirements.txt");
    // The requirements file does not name the framework.
    let other = ("requirements.txt", "gunicorn\n");
    let found = only(
        &[("Pipfile", "[packages]\nflask = '*'\n"), other, files[2]],
        &["python3"],
    );
    assert_eq!(
        found.prepare,
        Some(format!("{VENV}-r requirements.txt flask"))
    );
    only(&[files[0], files[2]], &["python3"])
        .has_evidence("`lib` comes from `lib`, which contains no package, so it is not installed");
}

#[test]
fn names_the_environment_of_conda() {
    let file = "name: x\ndependencies: [python=3.11, fastapi, uvicorn, {pip: [httpx]}]\n";
    let found = only(
        &[("api/environment.yml", file), ("api/main.py", FASTAPI)],
        &["python3"],
    );
    assert!(found.command.starts_with("python3 -m uvicorn main:app"));
    assert_eq!(found.prepare, None);
    found
        .has_evidence("`fastapi` is a dependency in api/environment.yml")
        .has_evidence("conda env create -f api/environment.yml");
    assert!(
        !found
            .evidence
            .iter()
            .any(|one| one.contains("no file names"))
    );
    // It has no service without an application.
    assert!(
        checkout(&[("environment.yml", file)], &[])
            .services
            .is_empty()
    );
}
