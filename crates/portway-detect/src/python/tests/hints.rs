//! Commands of scripts.

use crate::python::hints::{expand, parse, within};

#[test]
fn parses_commands() {
    for (command, target, file, port) in [
        (
            "uvicorn h.api:app --reload --port 8091",
            Some(("h.api", "app")),
            None,
            Some(8091),
        ),
        (
            "PORT=1 poetry run uvicorn a:b --port=82",
            Some(("a", "b")),
            None,
            Some(82),
        ),
        (
            ".venv/bin/gunicorn -b 0.0.0.0:83 'a:create()'",
            Some(("a", "create")),
            None,
            Some(83),
        ),
        (
            "python -m flask --app shop:site run -p 84",
            Some(("shop", "site")),
            None,
            Some(84),
        ),
        (
            "uv run fastapi dev app/main.py --port 85",
            None,
            Some("app/main.py"),
            Some(85),
        ),
        ("python3 ./server.py", None, Some("server.py"), None),
        ("python -m h.rpc", None, Some("h/rpc.py"), None),
        (
            "python manage.py runserver 0.0.0.0:86",
            None,
            Some("manage.py"),
            Some(86),
        ),
    ] {
        let hint = parse(command).unwrap();
        let target = target.map(|(module, object)| (module.to_owned(), object.to_owned()));
        assert_eq!(hint.target, target, "{command}");
        assert_eq!((hint.file.as_deref(), hint.port), (file, port), "{command}");
    }
    for command in ["make x", "pytest tests", "", "python -c 'x'"] {
        assert_eq!(parse(command), None, "{command}");
    }
}

#[test]
fn expands_variables_of_the_same_file() {
    let text = "PORT ?= 9100\nHOST := x\n";
    assert_eq!(expand("a --port $(PORT) {{HOST}}", text), "a --port 9100 x");
    assert_eq!(
        expand("a ${P:-81} ${Q} $(shell x)", text),
        "a 81 ${Q} $(shell x)"
    );
}

#[test]
fn finds_the_part_of_a_command_that_runs_below() {
    let command = "concurrently ;cd backend && uvicorn m:a --port 1; ;cd web && x;";
    assert_eq!(
        within(command, "backend").as_deref(),
        Some("uvicorn m:a --port 1; ;")
    );
    assert_eq!(within(command, "api"), None);
}
