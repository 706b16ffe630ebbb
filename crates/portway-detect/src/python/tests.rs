mod environment;
mod hints;
mod places;
mod ports;
mod servers;
mod sources;
mod workers;

use crate::DetectedPort;
use crate::fixture::{checkout, only};
use portway_project::kind::Kind;

const FASTAPI: &str = "from fastapi import FastAPI\napp = FastAPI()\n";
const FLASK: &str = "from flask import Flask\napp = Flask(__name__)\n";
const VENV: &str =
    "[ -x .venv/bin/pip ] || python3 -m venv .venv && .venv/bin/python -m pip install -q ";

#[test]
fn detects_fastapi_with_requirements() {
    let found = only(
        &[
            (
                "backend/requirements.txt",
                "# web\nfastapi[standard]>=0.100 # x\n",
            ),
            ("backend/app/__init__.py", ""),
            ("backend/app/main.py", FASTAPI),
        ],
        &["python3"],
    );
    assert_eq!(
        (found.name.as_str(), found.dir.as_str()),
        ("backend", "backend")
    );
    assert_eq!(
        found.command,
        ".venv/bin/uvicorn app.main:app --host {host} --port {port} --reload --reload-dir app"
    );
    assert_eq!(found.prepare, Some(format!("{VENV}-r requirements.txt")));
    assert_eq!(found.prefers(), Some(8000));
    found
        .has_evidence("`fastapi` is a dependency in backend/requirements.txt")
        .has_evidence("its application is `app` in backend/app/main.py");
}

#[test]
fn builds_the_command_of_every_framework() {
    let cases: [(&str, &str, &str, &str, u16); 14] = [
        (
            "fastapi\nuvicorn",
            "main.py",
            FASTAPI,
            "uvicorn main:app --host {host} --port {port} --reload",
            8000,
        ),
        (
            "fastapi\nhypercorn",
            "main.py",
            FASTAPI,
            "hypercorn main:app --bind {host}:{port} --reload",
            8000,
        ),
        (
            "Flask==3",
            "hello.py",
            FLASK,
            "flask --app hello run --host {host} --port {port} --debug",
            5000,
        ),
        (
            "litestar[standard]",
            "app.py",
            "from litestar import Litestar\nshop = Litestar([])",
            "uvicorn app:shop --host {host} --port {port} --reload",
            8000,
        ),
        (
            "starlette\nuvicorn",
            "asgi.py",
            "import starlette.applications as s\napp = s.Starlette()",
            "uvicorn asgi:app --host {host} --port {port} --reload",
            8000,
        ),
        (
            "quart",
            "app.py",
            "from quart import Quart\napp = Quart(__name__)",
            "hypercorn app:app --bind {host}:{port} --reload",
            5000,
        ),
        (
            "sanic",
            "server.py",
            "from sanic import Sanic\napp = Sanic('x')",
            "sanic server:app --host {host} --port {port} --dev",
            8000,
        ),
        (
            "streamlit",
            "Home.py",
            "import streamlit as st\nst.title('x')",
            "streamlit run Home.py --server.address {host} --server.port {port} --server.headless true",
            8501,
        ),
        (
            "blacksheep\nuvicorn",
            "app.py",
            "from blacksheep import Application\nshop = Application()",
            "uvicorn app:shop --host {host} --port {port} --reload",
            8000,
        ),
        (
            "falcon\nuvicorn\ngunicorn",
            "app.py",
            "import falcon.asgi\napp = falcon.asgi.App()",
            "uvicorn app:app --host {host} --port {port} --reload",
            8000,
        ),
        (
            "falcon\nuvicorn\ngunicorn",
            "app.py",
            "import falcon\napp = falcon.App()",
            "gunicorn app:app --bind {host}:{port} --reload",
            8000,
        ),
        (
            "falcon\nwaitress",
            "app.py",
            "import falcon\napp = falcon.App()",
            "waitress-serve --listen={host}:{port} app:app",
            8000,
        ),
        (
            "chainlit",
            "app.py",
            "import chainlit as cl\n@cl.on_message\ndef f(m): ...",
            "chainlit run app.py --host {host} --port {port} --watch --headless",
            8000,
        ),
        (
            "gradio",
            "app.py",
            "import gradio as gr\ndemo = gr.Blocks()\ndemo.launch()",
            "python app.py",
            7860,
        ),
    ];
    for (requirements, file, source, command, port) in cases {
        let found = only(&[("requirements.txt", requirements), (file, source)], &[]);
        assert_eq!(found.command, format!(".venv/bin/{command}"));
        assert_eq!(found.prefers(), Some(port), "{command}");
        assert_eq!(found.env["PYTHONUNBUFFERED"], "1");
    }
}

#[test]
fn sets_port_variables_of_scripts() {
    let found = only(
        &[
            ("requirements.txt", "gradio"),
            ("app.py", "import gradio\ndemo.launch()"),
        ],
        &[],
    );
    assert_eq!(found.env["GRADIO_SERVER_PORT"], "{port}");
    assert_eq!(
        (found.kind, found.name.as_str()),
        (Kind::Frontend, "frontend")
    );
    let found = only(
        &[
            ("requirements.txt", "dash"),
            (
                "app.py",
                "from dash import Dash\napp = Dash()\napp.run(port=8051)",
            ),
        ],
        &[],
    );
    assert_eq!(found.port, Some(DetectedPort::Fixed(8051)));
    found.has_evidence("app.py:3 requires port 8051");
}

#[test]
fn detects_django_by_manage_py() {
    let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site.settings')";
    let found = only(
        &[("requirements.txt", "Django"), ("web/manage.py", manage)],
        &[],
    );
    assert_eq!(
        found.command,
        ".venv/bin/python web/manage.py runserver {host}:{port}"
    );
    assert_eq!((found.framework, found.prefers()), ("django", Some(8000)));
    found.has_evidence("`django` is a dependency in requirements.txt, and web/manage.py runs it");
    // An unrelated manage.py, and a Django that no file names.
    assert!(
        checkout(&[("manage.py", "print(1)")], &[])
            .services
            .is_empty()
    );
    let found = only(&[("manage.py", manage)], &[]);
    assert_eq!(found.command, "python3 manage.py runserver {host}:{port}");
}

#[test]
fn names_modules_as_they_are_imported() {
    for (file, source, target, path) in [
        ("src/main.py", FASTAPI, "main:app", Some("src")),
        ("src/shop/main.py", FASTAPI, "shop.main:app", Some("src")),
        (
            "src/main.py",
            "from src.db import x\nfrom fastapi import FastAPI\napp = FastAPI()",
            "src.main:app",
            None,
        ),
        ("shop/__init__.py", FASTAPI, "shop:app", None),
        ("api/v1/main.py", FASTAPI, "api.v1.main:app", None),
        ("my-api/main.py", FASTAPI, "main:app", Some("my-api")),
        (
            "api/main.py",
            "import db\nfrom fastapi import FastAPI\napp = FastAPI()",
            "main:app",
            Some("api"),
        ),
        (
            "main.py",
            "from fastapi import FastAPI\ndef create_app():\n    return FastAPI()",
            "--factory main:create_app",
            None,
        ),
    ] {
        let found = only(
            &[
                ("requirements.txt", "fastapi\nuvicorn"),
                (file, source),
                ("api/db.py", ""),
            ],
            &[],
        );
        assert!(
            found.command.contains(&format!("uvicorn {target} --host")),
            "{file}: {}",
            found.command
        );
        assert_eq!(
            found.env.get("PYTHONPATH").map(String::as_str),
            path,
            "{file}"
        );
    }
    for (file, source, app) in [
        (
            "flaskr/__init__.py",
            "from flask import Flask\ndef create_app():\n    app = Flask()",
            "flaskr",
        ),
        ("src/main.py", FLASK, "src/main.py"),
        (
            "main.py",
            "import flask\nsite = flask.Flask(__name__)",
            "main:site",
        ),
    ] {
        let found = only(&[("requirements.txt", "flask"), (file, source)], &[]);
        assert!(
            found.command.contains(&format!("--app {app} run")),
            "{}",
            found.command
        );
        assert!(!found.env.contains_key("PYTHONPATH"));
    }
    let entry =
        "[project]\ndependencies = ['fastapi[standard]']\n[tool.fastapi]\nentrypoint = 'a.b:api'";
    let found = only(&[("pyproject.toml", entry), ("main.py", FASTAPI)], &[]);
    assert!(found.command.contains("uvicorn a.b:api "));
    found.has_evidence("other candidates were skipped: main.py");
}

#[test]
fn accepts_an_import_as_evidence() {
    let found = only(&[("api/main.py", FASTAPI)], &[]);
    assert_eq!(found.dir, "api");
    assert!(found.command.starts_with("python3 -m uvicorn main:app"));
    assert_eq!(found.prepare, None);
    found
        .has_evidence("api/main.py imports `fastapi`")
        .has_evidence("`python3` from PATH");
    // A pyproject.toml for linters names no packages.
    let found = only(
        &[
            ("pyproject.toml", "[tool.ruff]\n"),
            ("services/api/main.py", FASTAPI),
        ],
        &[],
    );
    assert_eq!(found.dir, "services/api");
}

#[test]
fn separates_sibling_and_nested_projects() {
    let detection = checkout(
        &[
            ("requirements.txt", "streamlit\nfastapi\nuvicorn"),
            ("main.py", FASTAPI),
            ("ui/app.py", "import streamlit as st\nst.title('x')"),
            ("other/requirements.txt", "flask"),
            ("other/app.py", FLASK),
            ("tests/app.py", FLASK),
        ],
        &[],
    );
    let names: Vec<_> = detection
        .services
        .iter()
        .map(|s| (s.name.as_str(), s.framework))
        .collect();
    assert_eq!(
        names,
        [
            ("backend", "fastapi"),
            ("frontend", "streamlit"),
            ("other", "flask")
        ]
    );
}

#[test]
fn finds_nothing_in_files_that_do_not_serve() {
    for files in [
        &[("requirements.txt", "fastapi"), ("main.py", "print(1)")][..],
        &[
            ("requirements.txt", "requests"),
            ("main.py", "def create_app(): pass"),
        ],
        &[
            ("pyproject.toml", "[tool.ruff]"),
            ("setup.py", "from setuptools import setup"),
        ],
    ] {
        let detection = checkout(files, &[]);
        assert!(detection.services.is_empty(), "{detection:#?}");
    }
    let broken = checkout(&[("pyproject.toml", "[project"), ("main.py", FASTAPI)], &[]);
    assert_eq!(broken.services.len(), 1);
    assert_eq!(broken.skipped[0].file, "pyproject.toml");
}

#[test]
fn completes_a_venv_whose_creation_was_interrupted() {
    let cases = [
        (
            "home = /usr/bin\ncommand = /usr/bin/python3 -m venv /p/.venv\n",
            true,
        ),
        (
            "home = /usr/bin\ncommand = /usr/bin/python3 -m venv --without-pip /p\n",
            false,
        ),
        ("home = /usr/bin\nuv = 0.8.1\n", false),
        ("home = /usr/bin\nvirtualenv = 20.1\n", false),
    ];
    for (settings, is_completed) in cases {
        let files = [
            ("requirements.txt", "fastapi"),
            ("main.py", FASTAPI),
            (".venv/pyvenv.cfg", settings),
            (".venv/bin/python", ""),
        ];
        let found = only(&files, &[]);
        assert_eq!(found.prepare.is_some(), is_completed, "{settings}");
    }
}

#[test]
fn detects_servers_of_the_standard_library() {
    let by_variable = "import os\nfrom http.server import HTTPServer\nAT = int(os.environ.get(\"SHOP_PORT\", 8766))\nHTTPServer((\"127.0.0.1\", AT), H).serve_forever()\n";
    let found = only(&[("server.py", by_variable)], &["python3"]);
    assert_eq!(found.port, Some(DetectedPort::Preferred(8766)));
    assert_eq!(found.env["SHOP_PORT"], "{port}");
    assert!(found.command.ends_with(" server.py"), "{}", found.command);
    found.has_evidence("server.py:4 reads its port from `SHOP_PORT`");
    let fixed = "import http.server\nhttp.server.HTTPServer((\"\", 8767), H).serve_forever()\n";
    let found = only(&[("app.py", fixed)], &["python3"]);
    assert_eq!(found.port, Some(DetectedPort::Fixed(8767)));
    for file in ["tools/server.py", "fake.py"] {
        let none = checkout(&[(file, fixed)], &["python3"]);
        assert_eq!(none.services.len(), 0, "{file}");
    }
}
