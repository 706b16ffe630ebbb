//! Finds the name of a program that a shell did not find, in the shell's message.

/// Returns the program that a shell did not find, from the last lines that it printed.
pub(super) fn missing_program(lines: &[String]) -> Option<String> {
    lines.iter().rev().find_map(|line| in_line(line.trim()))
}

/// Recognizes the messages of dash (`sh: 1: uv: not found`), bash (`sh: line 1: uv: command not
/// found`), zsh (`zsh:1: command not found: uv`), `env` and `cmd`.
fn in_line(line: &str) -> Option<String> {
    let after_colon = |text: &str| text.rsplit(": ").next().map(str::to_owned);
    let name = if let Some(text) = line.strip_suffix(": command not found") {
        after_colon(text)
    } else if let Some(text) = line.strip_suffix(": not found") {
        after_colon(text)
    } else if let Some((_, name)) = line.split_once("command not found: ") {
        Some(name.to_owned())
    } else if let Some(text) = line.strip_suffix(": No such file or directory") {
        // Bash about a path, and `env` about a program.
        after_colon(text)
    } else {
        let (name, _) = line.split_once(" is not recognized as an internal or external command")?;
        Some(name.to_owned())
    }?;
    let quotes = ['\'', '"', '`', '\u{2018}', '\u{2019}'];
    let name = name.trim_matches(quotes);
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace);
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_messages_of_shells() {
        for (line, program) in [
            ("sh: 1: uv: not found", "uv"),
            ("/bin/sh: 1: exec: uv: not found", "uv"),
            ("sh: .venv/bin/uvicorn: not found", ".venv/bin/uvicorn"),
            ("sh: line 1: poetry: command not found", "poetry"),
            (
                "bash: line 3: ./setup: No such file or directory",
                "./setup",
            ),
            ("zsh:1: command not found: pnpm", "pnpm"),
            (
                "env: \u{2018}node\u{2019}: No such file or directory",
                "node",
            ),
            (
                "'npm' is not recognized as an internal or external command,",
                "npm",
            ),
        ] {
            let lines = ["installing".to_owned(), line.to_owned()];
            assert_eq!(missing_program(&lines).as_deref(), Some(program), "{line}");
        }
        for line in ["", "error: the package x was not found", "404 not found"] {
            assert_eq!(missing_program(&[line.to_owned()]), None, "{line}");
        }
    }

    #[test]
    fn the_last_message_counts() {
        let lines = ["sh: 1: a: not found", "sh: 1: b: not found", "bye"];
        let lines = lines.map(str::to_owned);
        assert_eq!(missing_program(&lines).as_deref(), Some("b"));
    }
}
