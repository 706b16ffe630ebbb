//! Known Python frameworks and servers, one line each.

use portway_project::kind::Kind;

/// A framework and the way its applications run in development.
pub(super) struct Framework {
    /// Its name and its package.
    pub(super) name: &'static str,
    /// The module that its applications import.
    pub(super) module: &'static str,
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
    /// By a WSGI server.
    Wsgi,
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
const CHAINLIT: &str = "chainlit run FILE --host {host} --port {port} --watch --headless";
const GRADIO: [(&str, &str); 2] = [
    ("GRADIO_SERVER_NAME", "{host}"),
    ("GRADIO_SERVER_PORT", "{port}"),
];

/// Frameworks in order of precedence.
pub(super) const FRAMEWORKS: [Framework; 13] = [
    backend("fastapi", "FastAPI", 8000, Run::Asgi),
    backend("flask", "Flask", 5000, Run::Program(FLASK)),
    backend("litestar", "Litestar", 8000, Run::Asgi),
    backend("starlette", "Starlette", 8000, Run::Asgi),
    backend("quart", "Quart", 5000, Run::Asgi),
    backend("sanic", "Sanic", 8000, Run::Program(SANIC)),
    backend("blacksheep", "Application", 8000, Run::Asgi),
    Framework {
        module: "falcon.asgi",
        ..backend("falcon", "App", 8000, Run::Asgi)
    },
    backend("falcon", "App", 8000, Run::Wsgi),
    // Dash reads HOST and PORT itself.
    frontend("dash", "Dash", 8050, Run::Script(&[])),
    frontend("gradio", "launch", 7860, Run::Script(&GRADIO)),
    frontend("streamlit", "", 8501, Run::Page(STREAMLIT)),
    frontend("chainlit", "", 8000, Run::Page(CHAINLIT)),
];

const fn backend(name: &'static str, constructor: &'static str, port: u16, run: Run) -> Framework {
    Framework {
        name,
        module: name,
        constructor,
        port,
        kind: Kind::Http,
        run,
    }
}

const fn frontend(name: &'static str, constructor: &'static str, port: u16, run: Run) -> Framework {
    Framework {
        name,
        module: name,
        constructor,
        port,
        kind: Kind::Frontend,
        run,
    }
}

/// A server: its program, its package, its arguments, and the option that limits reloading to a
/// directory.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) package: &'static str,
    pub(super) arguments: &'static str,
    pub(super) watch: Option<&'static str>,
}

/// ASGI servers; the first is the default.
pub(super) const SERVERS: [Server; 3] = [
    Server {
        name: "uvicorn",
        package: "uvicorn",
        arguments: "TARGET --host {host} --port {port} --reload",
        watch: Some("--reload-dir"),
    },
    Server {
        name: "hypercorn",
        package: "hypercorn",
        arguments: "TARGET --bind {host}:{port} --reload",
        watch: None,
    },
    Server {
        name: "granian",
        package: "granian",
        arguments: "TARGET --interface asgi --host {host} --port {port} --reload",
        watch: Some("--reload-paths"),
    },
];

/// WSGI servers; the first is the default.
pub(super) const WSGI_SERVERS: [Server; 3] = [
    Server {
        name: "gunicorn",
        package: "gunicorn",
        arguments: "TARGET --bind {host}:{port} --reload",
        watch: None,
    },
    Server {
        name: "waitress-serve",
        package: "waitress",
        arguments: "--listen={host}:{port} TARGET",
        watch: None,
    },
    Server {
        name: "granian",
        package: "granian",
        arguments: "TARGET --interface wsgi --host {host} --port {port} --reload",
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
