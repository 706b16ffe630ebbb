//! What is known of Python's frameworks and servers; one line each.

use portway_project::kind::Kind;

/// A framework and how its applications are run in development.
pub(super) struct Framework {
    /// Its name, its package and its module.
    pub(super) name: &'static str,
    /// What makes an application, in its source; for scripts and pages, what they call.
    pub(super) constructor: &'static str,
    pub(super) port: u16,
    pub(super) kind: Kind,
    pub(super) run: Run,
}

/// How an application is run.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// By an ASGI server.
    Asgi,
    /// By a program of the framework, with `TARGET` (`main:app`) or `APP` (a module or file, and
    /// the object where it has no usual name) in its arguments.
    Program(&'static str),
    /// By a program that takes the file, `FILE`.
    Page(&'static str),
    /// As a script that reads these variables.
    Script(&'static [(&'static str, &'static str)]),
}

const FLASK: &str = "flask --app APP run --host {host} --port {port} --debug";
const SANIC: &str = "sanic TARGET --host {host} --port {port} --dev";
const STREAMLIT: &str =
    "streamlit run FILE --server.address {host} --server.port {port} --server.headless true";
const GRADIO: [(&str, &str); 2] = [
    ("GRADIO_SERVER_NAME", "{host}"),
    ("GRADIO_SERVER_PORT", "{port}"),
];

/// The first whose application is in a file has it.
pub(super) const FRAMEWORKS: [Framework; 9] = [
    backend("fastapi", "FastAPI", 8000, Run::Asgi),
    backend("flask", "Flask", 5000, Run::Program(FLASK)),
    backend("litestar", "Litestar", 8000, Run::Asgi),
    backend("starlette", "Starlette", 8000, Run::Asgi),
    backend("quart", "Quart", 5000, Run::Asgi),
    backend("sanic", "Sanic", 8000, Run::Program(SANIC)),
    // Dash takes HOST and PORT by itself.
    frontend("dash", "Dash", 8050, Run::Script(&[])),
    frontend("gradio", "launch", 7860, Run::Script(&GRADIO)),
    frontend("streamlit", "", 8501, Run::Page(STREAMLIT)),
];

const fn backend(name: &'static str, constructor: &'static str, port: u16, run: Run) -> Framework {
    Framework {
        name,
        constructor,
        port,
        kind: Kind::Http,
        run,
    }
}

const fn frontend(name: &'static str, constructor: &'static str, port: u16, run: Run) -> Framework {
    Framework {
        name,
        constructor,
        port,
        kind: Kind::Frontend,
        run,
    }
}

/// An ASGI server: its program and package, its arguments, and how it watches one directory only.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) arguments: &'static str,
    pub(super) watch: Option<&'static str>,
}

/// The first is taken where no file names one.
pub(super) const SERVERS: [Server; 3] = [
    Server {
        name: "uvicorn",
        arguments: "TARGET --host {host} --port {port} --reload",
        watch: Some("--reload-dir"),
    },
    Server {
        name: "hypercorn",
        arguments: "TARGET --bind {host}:{port} --reload",
        watch: None,
    },
    Server {
        name: "granian",
        arguments: "TARGET --interface asgi --host {host} --port {port} --reload",
        watch: Some("--reload-paths"),
    },
];

/// Packages that bring a server: by themselves, or with one of these extras.
pub(super) const BRINGS: [(&str, &str, &[&str]); 4] = [
    ("fastapi", "uvicorn", &["standard", "all"]),
    ("fastapi-cli", "uvicorn", &["standard"]),
    ("litestar", "uvicorn", &["standard", "full"]),
    ("quart", "hypercorn", &[]),
];

/// Files in which applications are, the likeliest first.
pub(super) const FILES: [&str; 11] = [
    "main.py",
    "app.py",
    "api.py",
    "server.py",
    "asgi.py",
    "wsgi.py",
    "application.py",
    "run.py",
    "streamlit_app.py",
    "Home.py",
    "__init__.py",
];

/// Directories in which applications are, the likeliest first.
pub(super) const DIRS: [&str; 5] = ["app", "src", "api", "backend", "server"];

/// Names that Flask looks for by itself.
pub(super) const FLASK_FINDS: [&str; 4] = ["app", "application", "create_app", "make_app"];
