//! The port that files of a project set for a server: `.flaskenv`, `.env` and Gunicorn's settings.

use super::calls::call;
use super::port::File;
use super::source::imports;
use crate::Dir;

/// Files with the settings of Gunicorn.
const GUNICORN: [&str; 3] = ["gunicorn.conf.py", "gunicorn_conf.py", "gunicorn_config.py"];

/// Returns the port that files set for an application of a framework, and where.
pub(super) fn port(dir: &Dir<'_>, framework: &str) -> Option<(u16, String)> {
    let variables: &[&str] = match framework {
        "flask" => &["FLASK_RUN_PORT"],
        "fastapi" | "starlette" | "litestar" | "quart" | "falcon" | "blacksheep" => {
            &["UVICORN_PORT"]
        }
        "streamlit" => &["STREAMLIT_SERVER_PORT"],
        "gradio" => &["GRADIO_SERVER_PORT"],
        "chainlit" => &["CHAINLIT_PORT"],
        _ => &[],
    };
    let value = |file: &str, name: &str| Some(dir.dotenv(file)?.get(name)?.clone());
    let files = [".flaskenv", ".env"]
        .into_iter()
        .filter(|file| dir.has(file));
    for file in files {
        for name in variables {
            let port = value(file, name).and_then(|value| value.trim().parse().ok());
            if let Some(port) = port.filter(|port| *port > 0) {
                return Some((port, format!("`{name}` in {}", dir.path_of(file))));
            }
        }
        let arguments = value(file, "GUNICORN_CMD_ARGS").unwrap_or_default();
        let words: Vec<&str> = arguments.split([' ', '=']).collect();
        let bind = words
            .windows(2)
            .find(|pair| ["--bind", "-b"].contains(&pair[0]));
        if let Some(port) = bind.and_then(|pair| pair[1].rsplit(':').next()?.parse().ok()) {
            let place = format!("`GUNICORN_CMD_ARGS` in {}", dir.path_of(file));
            return Some((port, place));
        }
    }
    let file = dir
        .first_of(&GUNICORN)
        .filter(|_| !["streamlit", "gradio", "dash"].contains(&framework))?;
    let text = dir.read(file)?;
    let reader = File {
        text: &text,
        dir: Some(dir),
    };
    let port = reader.port_of_address("bind")?.usual?;
    Some((port, format!("`bind` in {}", dir.path_of(file))))
}

/// Calls that run an application, with the keyword `port`.
const RUN_CALLS: [&str; 7] = [
    "uvicorn.run",
    "uvicorn.Config",
    "Granian",
    "granian.Granian",
    "socketio.run",
    "run",
    "run_server",
];

/// Files that run the application of another file.
const RUNNERS: [&str; 12] = [
    "__main__.py",
    "run.py",
    "server.py",
    "serve.py",
    "main.py",
    "app.py",
    "wsgi.py",
    "asgi.py",
    "cli.py",
    "start.py",
    "run_server.py",
    "runserver.py",
];

/// Returns the port with which a file of the project, other than its own, runs the application `module`, and where.
pub(super) fn run_elsewhere(places: &[Dir<'_>], module: &str) -> Option<(u16, String)> {
    let package = module.split('.').next().unwrap_or(module);
    let mut found: Vec<(bool, u16, String)> = Vec::new();
    for place in places {
        for name in RUNNERS.iter().filter(|name| place.has(name)) {
            let text = place.read(name).unwrap_or_default();
            // A file that only listens is a program of its own.
            let is_part = imports(&text, package) || names_module(&text, package);
            let Some((port, line)) = run_port(&text, Some(place)).filter(|_| is_part) else {
                continue;
            };
            let names_it = text.contains(&format!("{module}:"))
                || text.contains(&format!("from {module} import"));
            found.push((names_it, port, format!("{}:{line}", place.path_of(name))));
        }
    }
    let named = found.iter().position(|(names_it, ..)| *names_it);
    let is_same = found.windows(2).all(|pair| pair[0].1 == pair[1].1);
    let index = named.or_else(|| (is_same && !found.is_empty()).then_some(0))?;
    let (_, port, place) = found.swap_remove(index);
    Some((port, place))
}

/// Returns whether a string of a text names an object of a package: `"shop.main:app"`.
fn names_module(text: &str, package: &str) -> bool {
    ['"', '\''].iter().any(|quote| {
        let starts = [format!("{quote}{package}."), format!("{quote}{package}:")];
        starts.iter().any(|start| text.contains(start))
    })
}

/// Returns the port with which a file runs its application, `app.run(port=8000)`, and the line.
pub(crate) fn run_port(text: &str, dir: Option<&Dir<'_>>) -> Option<(u16, usize)> {
    let file = File { text, dir };
    RUN_CALLS
        .iter()
        .filter_map(|name| call(text, name))
        .find_map(|call| Some((file.port(call.keyword("port")?)?.usual?, call.line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_port_of_a_run_call() {
        for (text, port) in [
            (
                "if True:\n    uvicorn.run(\n        \"a:b\",\n        port=8010,\n    )",
                Some((8010, 2)),
            ),
            ("uvicorn.run(app, port=8002)", Some((8002, 1))),
            ("# uvicorn.run('main:app', port=1)", None),
            ("Redis(port=6379)\napp.run(debug=True)", None),
            (
                "app.run(port=int(os.environ.get('PORT', 5001)))",
                Some((5001, 1)),
            ),
            (
                "P = int(os.getenv('P2', '5002'))\napp.run('0.0.0.0', port=P)",
                Some((5002, 2)),
            ),
            ("subprocess.run(x, report=1)", None),
        ] {
            assert_eq!(run_port(text, None), port, "{text}");
        }
    }
}
