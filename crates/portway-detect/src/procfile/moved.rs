//! Replaces the port in a command by `{port}`, so that the program can listen on another one.

use super::written::{name_of, written_at};
use crate::{DetectedPort, DetectedService};

/// A command with `{port}` where its port was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// The port that it had.
    pub(crate) port: u16,
    pub(crate) command: String,
    /// Why this command listens where Portway says.
    pub(crate) why: String,
}

/// Arguments that set the port of programs that have a port of their own, by the words of the command.
const ARGUMENTS: [(&[&str], u16, &str); 16] = [
    (&["redis-server"], 6379, "--port {port}"),
    (&["valkey-server"], 6379, "--port {port}"),
    (&["mongod"], 27017, "--port {port}"),
    (&["memcached"], 11211, "-p {port}"),
    (&["nats-server"], 4222, "-p {port}"),
    (&["postgres"], 5432, "-p {port}"),
    (&["manage.py", "runserver"], 8000, "{port}"),
    (&["http.server"], 8000, "{port}"),
    (&["rackup"], 9292, "-p {port}"),
    (&["jekyll", "serve"], 4000, "--port {port}"),
    (&["hugo", "server"], 1313, "--port {port}"),
    (&["hypercorn"], 8000, "--bind 127.0.0.1:{port}"),
    (&["vite"], 5173, "--port {port} --strictPort"),
    (&["astro", "dev"], 4321, "--port {port}"),
    (&["ng", "serve"], 4200, "--port {port}"),
    (&["webpack", "serve"], 8080, "--port {port}"),
];

/// Returns a command, in which placeholders are escaped, with `{port}` instead of the port that it sets, or
/// with arguments for the port that its program has otherwise.
pub(crate) fn moved(command: &str) -> Option<Moved> {
    let (at, port) = match written_at(command) {
        Some(found) => found,
        None => return with_arguments(command),
    };
    let before = &command[..at.start];
    let is_assignment = |word: &str| {
        word.split_once('=')
            .is_some_and(|(name, _)| is_variable(name))
    };
    let mut words = before.split_whitespace();
    let name = before.trim_end_matches(['\'', '"']);
    let is_port = name.split_whitespace().last() == Some("PORT=");
    let text = match is_port && words.all(is_assignment) {
        // Portway sets the variable as well.
        true => {
            let start = name.rfind(char::is_whitespace).map_or(0, |at| at + 1);
            let rest = command[at.end..]
                .trim_start_matches(['\'', '"'])
                .trim_start();
            format!("{}{rest}", &before[..start])
        }
        false => format!("{before}{{port}}{}", &command[at.end..]),
    };
    Some(Moved {
        port,
        command: with_own_addresses(&text, port),
        why: format!("its command sets port {port}, which Portway replaces"),
    })
}

/// Returns a command without the number to which it sets this variable before its program.
pub(super) fn of_variable(command: &str, variable: &str) -> Option<Moved> {
    let start = format!("{variable}=");
    let mut assignments = command.split_whitespace().take_while(|word| {
        word.split_once('=')
            .is_some_and(|(name, _)| is_variable(name))
    });
    let word = assignments.find(|word| word.starts_with(&start))?;
    let port: u16 = word[start.len()..].trim_matches(['\'', '"']).parse().ok()?;
    let rest = command.replacen(word, "", 1);
    Some(Moved {
        port,
        command: with_own_addresses(rest.trim_start(), port),
        why: format!("its command sets `{variable}` to {port}, which Portway replaces"),
    })
}

impl Moved {
    /// Sets the command and the port of a service.
    pub(crate) fn apply(self, mut found: DetectedService) -> DetectedService {
        found.port = Some(DetectedPort::Preferred(self.port));
        found.is_port_written = true;
        found.command = self.command;
        found.with_evidence(self.why)
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Appends the arguments that set the port of a known program.
fn with_arguments(command: &str) -> Option<Moved> {
    if command.contains(['|', '&', ';', '<', '>', '\n', '`', '(', '$']) || is_for_npm(command) {
        return None;
    }
    let words: Vec<&str> = command.split_whitespace().map(name_of).collect();
    let is_it = |pattern: &[&str]| {
        // The program may follow `python -m`, `npx` or `bundle exec`.
        let start = words.iter().take(3).position(|word| *word == pattern[0]);
        start.is_some_and(|start| {
            pattern[1..]
                .iter()
                .all(|part| words[start..].contains(part))
        })
    };
    let (pattern, port, arguments) = ARGUMENTS.iter().find(|(pattern, ..)| is_it(pattern))?;
    let is_other_mode = [
        "build",
        "preview",
        "optimize",
        "--version",
        "--help",
        "initdb",
    ];
    if words.iter().any(|word| is_other_mode.contains(word)) {
        return None;
    }
    Some(Moved {
        port: *port,
        command: format!("{command} {arguments}"),
        why: format!("`{arguments}` sets the port of `{}`", pattern.join(" ")),
    })
}

/// Returns whether npm would consume arguments at the end.
fn is_for_npm(command: &str) -> bool {
    let mut words = command.split_whitespace();
    words.next() == Some("npm") && !words.any(|word| word == "--")
}

/// Replaces the port in the other addresses of this service.
fn with_own_addresses(command: &str, port: u16) -> String {
    let mut text = command.to_owned();
    for host in ["localhost", "127.0.0.1", "0.0.0.0"] {
        let address = format!("{host}:{port}");
        let mut start = 0;
        while let Some(at) = text[start..].find(&address) {
            let (from, end) = (start + at + host.len() + 1, start + at + address.len());
            start = end;
            if !text[end..].starts_with(|c: char| c.is_ascii_digit()) {
                text.replace_range(from..end, "{port}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_port_in_a_command() {
        for (command, port, expected) in [
            (
                "redis-server --port 6399",
                6399,
                "redis-server --port {port}",
            ),
            (
                "python3 -m http.server 8123",
                8123,
                "python3 -m http.server {port}",
            ),
            ("PORT=4567 node api.js", 4567, "node api.js"),
            ("A=1 PORT='4567' node api.js", 4567, "A=1 node api.js"),
            (
                "cd api && PORT=4567 node api.js",
                4567,
                "cd api && PORT={port} node api.js",
            ),
            (
                "bin/rails s -p 3001 -b 0.0.0.0",
                3001,
                "bin/rails s -p {port} -b 0.0.0.0",
            ),
            (
                "gunicorn --bind=0.0.0.0:8001 app",
                8001,
                "gunicorn --bind=0.0.0.0:{port} app",
            ),
            ("x --listen :9000", 9000, "x --listen :{port}"),
            (
                "uvicorn a:b --port '8002'",
                8002,
                "uvicorn a:b --port '{port}'",
            ),
            (
                "x --port 4040 --url http://localhost:4040/a http://localhost:40401",
                4040,
                "x --port {port} --url http://localhost:{port}/a http://localhost:40401",
            ),
            (
                "docker run -p 8080:80 nginx",
                8080,
                "docker run -p {port}:80 nginx",
            ),
            ("bash -c 'x --port 3000'", 3000, "bash -c 'x --port {port}'"),
            (
                "redis-server a.conf",
                6379,
                "redis-server a.conf --port {port}",
            ),
            (
                "npx vite --open",
                5173,
                "npx vite --open --port {port} --strictPort",
            ),
            (
                "python manage.py runserver",
                8000,
                "python manage.py runserver {port}",
            ),
        ] {
            let found = moved(command).unwrap_or_else(|| panic!("{command}"));
            assert_eq!(
                (found.port, found.command.as_str()),
                (port, expected),
                "{command}"
            );
        }
        for command in [
            "psql -p 5433 shop",
            "stripe listen --forward-to localhost:3000/hook",
            "npm exec vite",
            "npx vite build --watch",
            "vite | cat",
            "make -p 4",
            "x --port $PORT",
            "node x.js",
            "",
        ] {
            assert_eq!(moved(command), None, "{command}");
        }
    }
}
