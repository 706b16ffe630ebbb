//! Servers that run by themselves, and what scripts say about servers.

use super::{FASTAPI, FLASK};
use crate::fixture::{checkout, only};
use crate::{DetectedPort, DetectedService};
use portway_project::kind::Kind;

const HANDLER: &str = "import os\nfrom http.server import HTTPServer, ThreadingHTTPServer, BaseHTTPRequestHandler\n\
                       class H(BaseHTTPRequestHandler): pass\n";

fn command(found: &DetectedService) -> &str {
    &found.command
}

#[test]
fn servers_of_the_standard_library_are_found() {
    let end = "if __name__ == '__main__':\n    ThreadingHTTPServer(('', int(os.environ.get('SHOP_PORT', 9123))), H).serve_forever()\n";
    let found = only(&[("server.py", &format!("{HANDLER}{end}"))], &["python3"]);
    assert_eq!(command(&found), "python3 server.py");
    assert_eq!(found.env["SHOP_PORT"], "{port}");
    assert_eq!((found.prefers(), found.kind), (Some(9123), Kind::Http));
    found
        .has_evidence("server.py:5 listens with `ThreadingHTTPServer`")
        .has_evidence("server.py:5 reads its port from `SHOP_PORT`");
    let fixed = format!(
        "{HANDLER}PORT = 9124\nwith HTTPServer(('', PORT), H) as httpd:\n    httpd.serve_forever()\n"
    );
    let found = only(&[("api/app.py", &fixed)], &["python3"]);
    assert_eq!(found.port, Some(DetectedPort::Fixed(9124)));
    found.has_evidence("api/app.py:5 requires port 9124");
}

#[test]
fn helpers_are_passed_over() {
    let text = format!("{HANDLER}HTTPServer(('', 9125), H).serve_forever()\n");
    for files in [
        &[("tools/server.py", text.as_str())][..],
        &[("mock.py", text.as_str())],
        &[("server.py", text.as_str()), ("go.mod", "module x\n")],
    ] {
        let detection = checkout(files, &["python3"]);
        assert!(detection.services.is_empty(), "{detection:#?}");
        let mut passed = detection.passed_over.iter();
        assert!(
            passed.any(|one| one.file.starts_with(&format!("{}:", files[0].0))
                && one.why.contains("HTTPServer")),
            "{detection:#?}"
        );
    }
    // A script starts it.
    let make = ("Makefile", "mock:\n\tpython3 mock.py\n");
    let found = only(&[("mock.py", text.as_str()), make], &["python3"]);
    found.has_evidence("Makefile:2 starts it");
}

#[test]
fn servers_of_libraries_are_found_with_what_sets_their_port() {
    let main = "if __name__ == '__main__':\n    main()\n";
    for (package, text, name, port, kind) in [
        (
            "aiohttp",
            "import os\nfrom aiohttp import web\nweb.run_app(web.Application(), port=int(os.environ.get('PORT', '8181')))\n",
            "",
            8181,
            Kind::Http,
        ),
        (
            "tornado",
            "from tornado.options import define, options\nimport tornado.web\ndefine('port', default=8182)\ndef main():\n    app.listen(options.port)\n",
            "--port={port}",
            8182,
            Kind::Http,
        ),
        (
            "websockets",
            "import os\nimport websockets\nasync def main():\n    async with websockets.serve(f, '', int(os.getenv('WS_PORT') or 8183)):\n        pass\n",
            "WS_PORT",
            8183,
            Kind::Http,
        ),
        (
            "grpcio",
            "import os, grpc\ndef main():\n    s = grpc.server(x)\n    s.add_insecure_port(f\"[::]:{os.getenv('RPC', '50055')}\")\n",
            "RPC",
            50055,
            Kind::Tcp,
        ),
        (
            "nicegui",
            "import argparse\nfrom nicegui import ui\np = argparse.ArgumentParser()\np.add_argument('--port', type=int, default=8184)\nargs = p.parse_args()\nui.run(port=args.port)\n",
            "--port {port}",
            8184,
            Kind::Frontend,
        ),
        (
            "robyn",
            "from robyn import Robyn\napp = Robyn(__file__)\napp.start(port=8185)\n",
            "ROBYN_PORT",
            8185,
            Kind::Http,
        ),
        (
            "requests",
            "import sys, asyncio\nasync def main():\n    await asyncio.start_server(f, '', int(sys.argv[1]))\n",
            "{port}",
            8000,
            Kind::Tcp,
        ),
    ] {
        let text = format!("{text}{main}");
        let files = [("requirements.txt", package), ("run/x.py", text.as_str())];
        let found = only(&files, &["python3"]);
        assert!(
            found.command.starts_with(".venv/bin/python run/x.py"),
            "{}",
            found.command
        );
        let is_told = match name {
            "" => !found.env.contains_key("PORT"),
            name if name.contains('{') => found.command.ends_with(&format!(" {name}")),
            name => found.env.get(name).is_some_and(|value| value == "{port}"),
        };
        assert!(is_told, "{package}: {found:#?}");
        assert_eq!(
            (found.prefers(), found.kind),
            (Some(port), kind),
            "{package}"
        );
    }
}

#[test]
fn a_server_beside_an_application_has_its_own_name() {
    let rpc = "import grpc\nfrom shop.db import x\ndef serve():\n    s = grpc.server(x)\n    s.add_insecure_port('[::]:50056')\nif __name__ == '__main__':\n    serve()\n";
    let detection = checkout(
        &[
            ("requirements.txt", "fastapi\nuvicorn\ngrpcio\n"),
            ("shop/__init__.py", ""),
            ("shop/api.py", FASTAPI),
            ("shop/rpc.py", rpc),
        ],
        &["python3"],
    );
    let all: Vec<_> = detection
        .services
        .iter()
        .map(|one| (one.name.as_str(), one.command.as_str(), one.port))
        .collect();
    assert_eq!(all.len(), 2, "{detection:#?}");
    assert_eq!(
        all[1],
        (
            "rpc",
            ".venv/bin/python -m shop.rpc",
            Some(DetectedPort::Fixed(50056))
        )
    );
}

#[test]
fn scripts_say_the_application_and_its_port() {
    let pyproject = "[project]\nname = 'x'\ndependencies = ['fastapi', 'uvicorn']\n";
    let two = "from fastapi import FastAPI\none = FastAPI()\ntwo = one\n";
    for (file, text) in [
        ("pyproject.toml", format!("{pyproject}[tool.poe.tasks]\ntest = 'pytest'\ndev = 'uvicorn h.api:two --reload --port 8191'\n")),
        ("pyproject.toml", format!("{pyproject}[tool.taskipy.tasks]\ndev = {{cmd = 'uvicorn h.api:two --port 8191'}}\n")),
        ("pyproject.toml", format!("{pyproject}[tool.pdm.scripts]\nstart = {{cmd = ['uvicorn', 'h.api:two', '--port=8191']}}\n")),
        ("pyproject.toml", format!("{pyproject}[tool.hatch.envs.default.scripts]\nserve = 'uvicorn h.api:two -p 8191 --port 8191'\n")),
        ("Makefile", "PORT ?= 8191\nrun:\n\tuv run uvicorn h.api:two --port $(PORT)\n".to_owned()),
        ("run.sh", "#!/bin/sh\nexec uvicorn h.api:two --port ${PORT:-8191}\n".to_owned()),
        (
            "package.json",
            "{\"scripts\": {\"dev\": \"concurrently 'uvicorn h.api:two --port 8191' 'npm run x'\"}}".to_owned(),
        ),
    ] {
        let mut files = vec![("pyproject.toml", pyproject), ("main.py", FASTAPI), ("h/api.py", two)];
        files.retain(|(name, _)| *name != file);
        files.push((file, &text));
        let detection = checkout(&files, &["python3"]);
        let found = &detection.services[0];
        assert!(found.command.contains("uvicorn h.api:two "), "{file}: {}", found.command);
        assert_eq!(found.prefers(), Some(8191), "{file}");
    }
}

#[test]
fn a_script_above_says_the_port_of_its_directory() {
    let detection = checkout(
        &[
            (
                "package.json",
                "{\"scripts\": {\"dev\": \"concurrently \\\"cd api && .venv/bin/uvicorn main:app --port 8192\\\" \\\"cd other && uvicorn main:app --port 1\\\"\"}}",
            ),
            ("api/requirements.txt", "fastapi\nuvicorn\n"),
            ("api/main.py", FASTAPI),
        ],
        &["python3"],
    );
    assert_eq!(
        detection.services[0].prefers(),
        Some(8192),
        "{detection:#?}"
    );
}

#[test]
fn files_of_settings_say_the_port() {
    for (requirements, source, file, text, port) in [
        ("flask", FLASK, ".flaskenv", "FLASK_RUN_PORT=5116\n", 5116),
        (
            "fastapi\nuvicorn",
            FASTAPI,
            ".env",
            "UVICORN_PORT=8116\n",
            8116,
        ),
        (
            "flask",
            FLASK,
            ".env",
            "GUNICORN_CMD_ARGS=\"--workers 1 --bind=0.0.0.0:8117\"\n",
            8117,
        ),
        (
            "flask",
            FLASK,
            "gunicorn.conf.py",
            "import os\nbind = f\"0.0.0.0:{os.getenv('P', '8118')}\"\n",
            8118,
        ),
    ] {
        let files = [
            ("requirements.txt", requirements),
            ("app.py", source),
            (file, text),
        ];
        let found = only(&files, &["python3"]);
        assert_eq!(found.prefers(), Some(port), "{file}");
        found.has_evidence(&format!("in {file} names port {port}"));
    }
    let main = "import os, uvicorn\nfrom fastapi import FastAPI\napi = FastAPI()\nif __name__ == '__main__':\n    uvicorn.run('app:api', port=int(os.getenv('API_PORT', '8119')))\n";
    let found = only(
        &[("requirements.txt", "fastapi\nuvicorn"), ("app.py", main)],
        &["python3"],
    );
    assert_eq!(found.prefers(), Some(8119));
    found.has_evidence("app.py:5 names port 8119");
    // Nothing else was a candidate.
    assert!(!found.evidence.iter().any(|one| one.contains("candidates")));
}

#[test]
fn a_variable_of_the_source_sets_the_port_of_a_script() {
    let dash = "import os\nfrom dash import Dash\napp = Dash()\napp.run(port=int(os.getenv('PAGE_PORT', 8120)))\n";
    let found = only(
        &[("requirements.txt", "dash"), ("app.py", dash)],
        &["python3"],
    );
    assert_eq!(found.prefers(), Some(8120));
    assert_eq!(found.env["PAGE_PORT"], "{port}");
}
