//! The port that files of a project set for a server: `.flaskenv`, `.env` and Gunicorn's settings.

use super::calls::call;
use super::port::File;
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

/// Returns the port with which a file runs its application, `app.run(port=8000)`, and the line.
pub(crate) fn run_port(text: &str, dir: Option<&Dir<'_>>) -> Option<(u16, usize)> {
    let file = File { text, dir };
    ["uvicorn.run", "socketio.run", "run", "run_server"]
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
