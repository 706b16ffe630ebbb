//! The port that a command names as a number.

use std::ops::Range;

/// Arguments that are followed by the port, alone or with an address.
pub(super) const FLAGS: [&str; 10] = [
    "--port",
    "-p",
    "--bind",
    "-b",
    "--listen",
    "--addr",
    "-addr",
    "-port",
    "--server.port",
    "PORT",
];

/// Words that are followed by the port as a separate argument.
const WORDS: [&str; 2] = ["runserver", "http.server"];

/// Programs that connect to a port that their arguments name, and listen on none.
pub(super) const CLIENTS: [&str; 13] = [
    "cloudflared",
    "curl",
    "cypress",
    "k6",
    "localtunnel",
    "lt",
    "newman",
    "ngrok",
    "open",
    "open-cli",
    "smee",
    "stripe",
    "wait-on",
];

/// Programs that connect to a database, with `-p` for its port.
const DATABASE_CLIENTS: [&str; 9] = [
    "mongo",
    "mongosh",
    "mysql",
    "nc",
    "pg_isready",
    "psql",
    "redis-cli",
    "scp",
    "ssh",
];

/// Returns the port that a command names as a number.
pub(crate) fn written(command: &str) -> Option<u16> {
    written_at(command).map(|(_, port)| port)
}

/// Returns the port that a command names as a number, and its place.
pub(super) fn written_at(command: &str) -> Option<(Range<usize>, u16)> {
    let mut words = command.split_whitespace().peekable();
    let program = command
        .split_whitespace()
        .map(name_of)
        .find(|word| !word.contains('='));
    if program.is_some_and(|name| CLIENTS.contains(&name) || DATABASE_CLIENTS.contains(&name)) {
        return None;
    }
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word, words.peek().copied()),
        };
        let flag = flag.trim_start_matches(['\'', '"', '(']);
        if (FLAGS.contains(&flag) || WORDS.contains(&flag))
            && let Some((digits, port)) = value.and_then(port_of)
        {
            // All words are slices of the command.
            let start = digits.as_ptr() as usize - command.as_ptr() as usize;
            return Some((start..start + digits.len(), port));
        }
    }
    None
}

/// Parses the port of `8000`, `:8000`, `0.0.0.0:8000` or `tcp://[::]:8000`; the first one of `8080:80`, which
/// forwards it to a container.
fn port_of(value: &str) -> Option<(&str, u16)> {
    let value = value.trim_matches(['\'', '"', ')']);
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = match value.rsplit_once(':') {
        Some((before, last)) if is_number(last) => match before.rsplit(':').next() {
            Some(outer) if !outer.is_empty() && is_number(outer) => outer,
            _ => last,
        },
        Some(_) => return None,
        None => value,
    };
    let port: u16 = digits.parse().ok()?;
    // In `-p 4` of an unknown program the number is not a port.
    (port == 80 || port >= 1024).then_some((digits, port))
}

/// Returns the name of a program without its path.
pub(super) fn name_of(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Returns the variable from which a command takes its port, with its default: `--port ${API_PORT:-8000}`.
pub(crate) fn named_variable(command: &str) -> Option<(&str, Option<u16>)> {
    let mut words = command.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word, words.peek().copied()),
        };
        if !FLAGS.contains(&flag) && !WORDS.contains(&flag) {
            continue;
        }
        let Some((_, rest)) = value.and_then(|value| value.rsplit_once('$')) else {
            continue;
        };
        let rest = rest
            .trim_start_matches('{')
            .trim_end_matches(['}', '"', '\'']);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, default) = rest.split_at(end.unwrap_or(rest.len()));
        if name.ends_with("PORT") {
            let default = default.trim_start_matches([':', '-', '=']);
            return Some((name, default.parse().ok().filter(|port| *port > 0)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ports_from_commands() {
        for (command, port) in [
            ("node server.js --port 3001", Some(3001)),
            ("bin/rails s -p 3000", Some(3000)),
            ("gunicorn --bind=0.0.0.0:8001 app", Some(8001)),
            ("uvicorn app:app --port '8002'", Some(8002)),
            ("PORT=4000 node x.js", Some(4000)),
            ("python manage.py runserver 0.0.0.0:8003", Some(8003)),
            ("stripe listen --forward-to localhost:3000/hook", None),
            ("make -p 4", None),
            ("x --port $PORT", None),
            ("x --port", None),
        ] {
            assert_eq!(written(command), port, "{command}");
        }
    }

    #[test]
    fn finds_the_variable_that_sets_the_port() {
        for (command, expected) in [
            ("x --port $API_PORT", Some(("API_PORT", None))),
            (
                "python3 -m http.server ${WEB_PORT:-8100}",
                Some(("WEB_PORT", Some(8100))),
            ),
            (
                "x --bind=0.0.0.0:\"${PORT-8200}\"",
                Some(("PORT", Some(8200))),
            ),
            ("x --port $NAME", None),
            ("x --url http://localhost:$API_PORT", None),
        ] {
            assert_eq!(named_variable(command), expected, "{command}");
        }
    }
}
