//! Makes `portway` in a command mean the binary that runs the command, whatever `PATH` contains.

use std::borrow::Cow;
use std::env;

/// The name by which commands call Portway.
const NAME: &str = "portway";

/// Words of a shell after which another command follows.
const PREFIXES: [&str; 8] = [
    "exec", "command", "if", "then", "else", "while", "do", "time",
];

/// Replaces the word `portway` by the path of this binary wherever a command starts.
pub(super) fn resolve(command: &str) -> Cow<'_, str> {
    if !command.contains(NAME) {
        return Cow::Borrowed(command);
    }
    let Ok(path) = env::current_exe() else {
        return Cow::Borrowed(command);
    };
    let path = path.display().to_string();
    // The path of a binary that was replaced while this process runs.
    let path = path.strip_suffix(" (deleted)").unwrap_or(&path);
    let program = match cfg!(windows) {
        true => format!("\"{path}\""),
        false => portway_project::shell::quote(path).into_owned(),
    };
    replace(command, &program)
}

/// Replaces `portway` by `program` at the start of a command: at the start of the text, and after an
/// operator, an assignment or a word such as `exec`. Text in quotes stays.
fn replace<'a>(command: &'a str, program: &str) -> Cow<'a, str> {
    let mut replaced = String::with_capacity(command.len() + program.len());
    let mut copied = 0;
    let mut starts_command = true;
    for (start, end) in words(command) {
        let word = &command[start..end];
        if starts_command && word == NAME {
            replaced.push_str(&command[copied..start]);
            replaced.push_str(program);
            copied = end;
        }
        let is_operator = word.chars().all(is_operator);
        let is_prefix = PREFIXES.contains(&word) || is_assignment(word);
        starts_command = is_operator || starts_command && is_prefix;
    }
    if copied == 0 {
        return Cow::Borrowed(command);
    }
    replaced.push_str(&command[copied..]);
    Cow::Owned(replaced)
}

/// Characters that separate commands, outside quotes.
fn is_operator(c: char) -> bool {
    "\n;&|(){}!".contains(c)
}

/// Returns whether a word sets a variable for the command that follows.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.chars().all(is_word) && !name.is_empty()
    })
}

/// Returns the start and the end of each word, and of each sequence of operators.
fn words(command: &str) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut is_escaped = false;
    let mut was_operator = false;
    for (at, c) in command.char_indices() {
        let is_quoted = quote.is_some() || is_escaped;
        let is_separator = !is_quoted && (c == ' ' || c == '\t');
        let operator = !is_quoted && is_operator(c);
        if is_separator || operator != was_operator {
            words.extend(start.take().map(|start| (start, at)));
        }
        if !is_separator && start.is_none() {
            start = Some(at);
        }
        was_operator = operator;
        match (c, quote) {
            _ if is_escaped => is_escaped = false,
            ('\\', None | Some('"')) if !cfg!(windows) => is_escaped = true,
            ('\'' | '"', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    words.extend(start.map(|start| (start, command.len())));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portway_is_replaced_where_a_command_starts() {
        for (command, expected) in [
            ("portway compose run db", "/opt/p/portway compose run db"),
            ("exec portway ps", "exec /opt/p/portway ps"),
            ("A=1 B='x y' portway ps", "A=1 B='x y' /opt/p/portway ps"),
            (
                "cd web && portway ps; (portway who 1)|cat",
                "cd web && /opt/p/portway ps; (/opt/p/portway who 1)|cat",
            ),
            (
                "if ! portway ps\nthen portway up; fi",
                "if ! /opt/p/portway ps\nthen /opt/p/portway up; fi",
            ),
            ("  portway", "  /opt/p/portway"),
        ] {
            assert_eq!(replace(command, "/opt/p/portway"), expected);
        }
        for command in [
            "echo portway",
            "echo 'a; portway ps'",
            "echo \"a; portway ps\" portway",
            "./portway ps",
            "portway-dev ps",
            "npm run dev -- --name portway",
            "docker run portway",
            "",
        ] {
            let same = replace(command, "/opt/p/portway");
            assert!(matches!(same, Cow::Borrowed(_)), "{command}: {same}");
        }
        if cfg!(unix) {
            assert_eq!(replace("echo \\; portway", "/p"), "echo \\; portway");
        }
        replace(&"portway;".repeat(10_000), "/opt/p/portway");
    }

    #[test]
    fn the_path_is_that_of_this_binary() {
        let own = env::current_exe().unwrap();
        let own = portway_project::shell::quote(own.to_str().unwrap()).into_owned();
        let resolved = resolve("portway ps");
        if cfg!(unix) {
            assert_eq!(resolved, format!("{own} ps"));
        }
        assert_eq!(resolve("node server.js"), "node server.js");
    }
}
