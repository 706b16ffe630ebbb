//! Known Python frameworks and servers, one line each.

use portway_project::kind::Kind;

/// A framework and the way its applications run in development.
pub(super) struct Framework {
    /// Its name, its package and its module.
    pub(super) name: &'static str,
    /// The constructor of an application; for scripts and pages, the call that identifies them.
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
    /// the object if its name is unusual) in its arguments.
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

/// Frameworks in order of precedence.
pub(super) const FRAMEWORKS: [Framework; 10] = [
    backend("fastapi", "FastAPI", 8000, Run::Asgi),
    backend("flask", "Flask", 5000, Run::Program(FLASK)),
    backend("litestar", "Litestar", 8000, Run::Asgi),
    backend("starlette", "Starlette", 8000, Run::Asgi),
    backend("quart", "Quart", 5000, Run::Asgi),
    backend("sanic", "Sanic", 8000, Run::Program(SANIC)),
    // Dash reads HOST and PORT itself.
    frontend("dash", "Dash", 8050, Run::Script(&[])),
    frontend("gradio", "launch", 7860, Run::Script(&GRADIO)),
    frontend("streamlit", "", 8501, Run::Page(STREAMLIT)),
    backend(STANDARD, "serve_forever", 8000, Run::Script(&[])),
];

/// The server of Python's standard library.
pub(super) const STANDARD: &str = "http.server";

/// Directories whose servers of the standard library are tools.
pub(super) const TOOL_DIRS: [&str; 8] = [
    "bin", "ci", "dev", "hack", "mock", "mocks", "scripts", "tools",
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

/// An ASGI server: its program and package, its arguments, and the option that limits reloading to
/// a directory.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) arguments: &'static str,
    pub(super) watch: Option<&'static str>,
}

/// The first is the default.
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

/// Packages that install a server: always, or with one of these extras.
pub(super) const BRINGS: [(&str, &str, &[&str]); 4] = [
    ("fastapi", "uvicorn", &["standard", "all"]),
    ("fastapi-cli", "uvicorn", &["standard"]),
    ("litestar", "uvicorn", &["standard", "full"]),
    ("quart", "hypercorn", &[]),
];

/// File names of applications, most likely first.
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

/// Directory names of applications, most likely first.
pub(super) const DIRS: [&str; 5] = ["app", "src", "api", "backend", "server"];

/// Names that Flask finds without an option.
pub(super) const FLASK_FINDS: [&str; 4] = ["app", "application", "create_app", "make_app"];
