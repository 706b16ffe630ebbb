//! A shell that gets out of the way.

use std::borrow::Cow;

/// Words after which `exec` would mean something else: what the shell itself does, and its grammar.
const NOT_PROGRAMS: [&str; 34] = [
    ".", ":", "[", "alias", "break", "case", "cd", "command", "continue", "echo", "eval", "exec",
    "exit", "export", "false", "for", "function", "if", "printf", "pwd", "read", "readonly",
    "return", "set", "shift", "source", "test", "time", "trap", "true", "ulimit", "umask", "until",
    "while",
];

/// The command with `exec` before it when it is one plain program: then the program takes the
/// shell's place, and the process that is watched and signalled is the service's own.
pub(super) fn direct(command: &str) -> Cow<'_, str> {
    let first = command.split_whitespace().next().unwrap_or("");
    let plain = !command.contains(['\n', ';', '&', '|', '<', '>', '(', ')', '`'])
        && !first.contains(['=', '!', '{', '}', '$', '"', '\'', '\\', '#'])
        && !NOT_PROGRAMS.contains(&first)
        && !first.is_empty();
    if plain {
        Cow::Owned(format!("exec {command}"))
    } else {
        Cow::Borrowed(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_program_takes_the_shells_place() {
        for command in [
            ".venv/bin/uvicorn app.main:app --port 9000",
            "npm run dev -- --port 5173",
            "redis-server --save '' --bind 127.0.0.1 -::1",
            "node server.js \"$HOME\"",
        ] {
            assert_eq!(direct(command), format!("exec {command}"));
        }
    }

    #[test]
    fn everything_else_stays_with_the_shell() {
        for command in [
            "cd web && npm start",
            "PORT=1 node server.js",
            "server > log",
            "a; b",
            "a | b",
            "if true; then a; fi",
            "exec node server.js",
            "echo hi",
            "",
            "# nothing",
            "\"my server\" --port 1",
        ] {
            assert_eq!(direct(command), command);
        }
    }
}
