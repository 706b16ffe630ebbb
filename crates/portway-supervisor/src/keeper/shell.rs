//! Starts plain commands without a shell in between.

use std::borrow::Cow;

/// Shell builtins and keywords, which cannot follow `exec`.
const SHELL_WORDS: [&str; 34] = [
    ".", ":", "[", "alias", "break", "case", "cd", "command", "continue", "echo", "eval", "exec",
    "exit", "export", "false", "for", "function", "if", "printf", "pwd", "read", "readonly",
    "return", "set", "shift", "source", "test", "time", "trap", "true", "ulimit", "umask", "until",
    "while",
];

/// Prepends `exec` to a command that runs a single program. The program then replaces the shell, so
/// that signals reach it directly.
pub(super) fn with_exec(command: &str) -> Cow<'_, str> {
    let first = command.split_whitespace().next().unwrap_or("");
    let plain = !command.contains(['\n', ';', '&', '|', '<', '>', '(', ')', '`'])
        && !first.contains(['=', '!', '{', '}', '$', '"', '\'', '\\', '#'])
        && !SHELL_WORDS.contains(&first)
        && !first.is_empty();
    if plain {
        Cow::Owned(format!("exec {command}"))
    } else {
        Cow::Borrowed(command)
    }
}

/// Splits a command that needs no shell into words. `None` if it needs one.
pub(super) fn split_plain(command: &str) -> Option<Vec<&str>> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_./:,@%+=".contains(c);
    let words: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).collect();
    let first = *words.first()?;
    let plain = command.chars().all(is_plain) && !first.contains('=');
    (plain && !SHELL_WORDS.contains(&first)).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_commands_that_need_no_shell() {
        assert_eq!(
            split_plain(".venv/bin/uvicorn  app.main:app --port=9000 "),
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
            assert_eq!(split_plain(command), None, "{command}");
        }
    }

    #[test]
    fn a_single_program_replaces_the_shell() {
        for command in [
            ".venv/bin/uvicorn app.main:app --port 9000",
            "npm run dev -- --port 5173",
            "redis-server --save '' --bind 127.0.0.1 -::1",
            "node server.js \"$HOME\"",
        ] {
            assert_eq!(with_exec(command), format!("exec {command}"));
        }
    }

    #[test]
    fn leaves_other_commands_to_the_shell() {
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
            assert_eq!(with_exec(command), command);
        }
    }
}
