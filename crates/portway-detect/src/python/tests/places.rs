//! Where applications are, and what is none.

use crate::fixture::only;

#[test]
fn finds_an_application_below_packages_in_src() {
    let found = only(
        &[
            (
                "pyproject.toml",
                "[project]\nname = \"x\"\ndependencies = [\"fastapi\", \"uvicorn\"]\n",
            ),
            (
                "src/shop/main/run.py",
                "from fastapi import FastAPI\n\ndef make_app(*, debug: bool = False) -> FastAPI:\n    return FastAPI()\n",
            ),
            ("src/shop/__init__.py", ""),
            ("src/shop/main/__init__.py", ""),
        ],
        &["python3"],
    );
    assert!(
        found
            .command
            .contains("uvicorn --factory shop.main.run:make_app"),
        "{}",
        found.command
    );
    assert_eq!(found.env["PYTHONPATH"], "src");
}

#[test]
fn finds_an_application_in_a_directory_for_a_language() {
    let found = only(
        &[
            (
                "pyproject.toml",
                "[project]\nname = \"x\"\ndependencies = [\"litestar[standard]\"]\n",
            ),
            (
                "src/python/shop/web/entry.py",
                "from litestar import Litestar\n\ndef make_app() -> Litestar:\n    return Litestar()\n",
            ),
            ("src/python/shop/__init__.py", ""),
            ("src/python/shop/web/__init__.py", ""),
        ],
        &["python3"],
    );
    assert!(
        found
            .command
            .contains("uvicorn --factory shop.web.entry:make_app"),
        "{}",
        found.command
    );
    assert_eq!(found.env["PYTHONPATH"], "src/python");
}

#[test]
fn the_environment_of_alembic_is_no_application() {
    let found = only(
        &[
            ("requirements.txt", "flask\nalembic\n"),
            (
                "db/env.py",
                "from alembic import context\nfrom shop.app import create_app\napp = create_app()\n",
            ),
            (
                "shop/app.py",
                "from flask import Flask\ndef create_app():\n    return Flask(__name__)\n",
            ),
        ],
        &["python3"],
    );
    assert!(
        found.command.contains("--app shop.app run"),
        "{}",
        found.command
    );
}

#[test]
fn a_file_beside_a_package_runs_its_application_and_says_the_port() {
    let run = "import uvicorn\nif __name__ == \"__main__\":\n    uvicorn.run(\"app:app\", host=\"0.0.0.0\", port=9999, reload=True)\n";
    let found = only(
        &[
            ("requirements.txt", "fastapi\nuvicorn\n"),
            ("run.py", run),
            (
                "app/__init__.py",
                "from fastapi import FastAPI\napp = FastAPI()\n",
            ),
        ],
        &["python3"],
    );
    assert!(
        found.command.contains("uvicorn app:app "),
        "{}",
        found.command
    );
    assert_eq!(found.prefers(), Some(9999));
}
