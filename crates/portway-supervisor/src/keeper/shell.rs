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

/// The words of a command in which there is nothing for a shell to do but to take them apart.
pub(super) fn words(command: &str) -> Option<Vec<&str>> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || " -_./:,@%+=".contains(letter);
    let words: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).collect();
    let first = *words.first()?;
    let plain = command.chars().all(is_plain) && !first.contains('=');
    (plain && !NOT_PROGRAMS.contains(&first)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_shell_is_taken_apart() {
        assert_eq!(
            words(".venv/bin/uvicorn  app.main:app --port=9000 "),
            Some(vec![".venv/bin/uvicorn", "app.main:app", "--port=9000"])
        );
        for command in [
            "",
            " ",
            "echo hi",
            "exec server",
            "A=1 server",
            "server $PORT",
            "server ~/x",
            "server 'a b'",
            "server \"a\"",
            "server *.js",
            "server {a,b}",
            "server # no",
            "a\nb",
            "a\tb",
            "a; b",
            "a & b",
            "sérveur",
            "cd web",
        ] {
            assert_eq!(words(command), None, "{command}");
        }
    }

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
