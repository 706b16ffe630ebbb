//! Commands of other tools, whose meaning must not change in a manifest, and the shell scripts that they run.

use std::borrow::Cow;

use super::Dir;

/// Returns the text of the shell script of the project in `dir` that a command runs.
pub(super) fn script(dir: &Dir<'_>, command: &str) -> Option<String> {
    let path = command
        .split_whitespace()
        .find(|word| !["sh", "bash", "exec"].contains(word))?;
    let path = path.trim_matches(['"', '\'']).trim_start_matches("./");
    let (place, name) = path.rsplit_once('/').unwrap_or(("", path));
    let place = dir.below(place)?;
    (name.ends_with(".sh") && place.has(name))
        .then(|| place.read(name))
        .flatten()
}

/// Returns the commands of the script that a command runs, one for each line, or none.
pub(super) fn script_commands(dir: &Dir<'_>, command: &str) -> Vec<String> {
    let text = script(dir, command).unwrap_or_default();
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let lines = lines.map(|line| line.strip_prefix("exec ").unwrap_or(line));
    lines.map(str::to_owned).collect()
}

/// Escapes placeholders: `{port}` of another tool becomes `{''port}`, which means the same to the
/// shell.
pub(super) fn literal(command: &str) -> Cow<'_, str> {
    if !has_placeholder(command) {
        return Cow::Borrowed(command);
    }
    let mut text = String::with_capacity(command.len() + 8);
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in command.char_indices() {
        text.push(character);
        if character == '{' && is_placeholder(command, at) {
            // Inside quotes, close and reopen them.
            let mark = quote.unwrap_or('\'');
            text.extend([mark, mark]);
        }
        match (character, quote) {
            ('\\', None | Some('"')) if !escaped => {
                escaped = true;
                continue;
            }
            ('\'' | '"', None) if !escaped => quote = Some(character),
            (_, Some(open)) if character == open && !escaped => quote = None,
            _ => {}
        }
        escaped = false;
    }
    Cow::Owned(text)
}

/// Returns whether Portway would replace a placeholder in the text.
pub(super) fn has_placeholder(text: &str) -> bool {
    let mut braces = text.match_indices('{');
    braces.any(|(at, _)| is_placeholder(text, at))
}

/// Returns whether the brace at `at` starts a possible placeholder: a known word, or words
/// separated by dots. `${port}` belongs to the shell.
fn is_placeholder(text: &str, at: usize) -> bool {
    if text[..at].ends_with('$') {
        return false;
    }
    let text = &text[at..];
    // The limit keeps the search linear in a text full of braces.
    let Some(close) = text.bytes().take(200).position(|byte| byte == b'}') else {
        return false;
    };
    let parts: Vec<&str> = text[1..close].split('.').collect();
    let is_word = |part: &&str| {
        let mut bytes = part.bytes();
        !part.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    parts.iter().all(is_word)
        && (parts.len() > 1 || ["name", "host", "port", "url"].contains(&parts[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_placeholders_in_a_literal_command() {
        for (command, literal_) in [
            ("node server.js", "node server.js"),
            ("awk '{print}' ${port} {a,b}", "awk '{print}' ${port} {a,b}"),
            ("echo {port}", "echo {''port}"),
            ("echo '{port}'", "echo '{''port}'"),
            (
                "echo \"{db.url} \\\"{name}\"",
                "echo \"{\"\"db.url} \\\"{\"\"name}\"",
            ),
            ("echo \\'{port}", "echo \\'{''port}"),
        ] {
            assert_eq!(literal(command), literal_);
        }
        assert!(!has_placeholder("{\u{e9}}{"));
        literal(&"{".repeat(100_000));
    }

    /// Windows has no `sh`.
    #[test]
    #[cfg(unix)]
    fn literal_commands_mean_the_same_to_the_shell() {
        for command in [
            "echo {port} '{name}' \"{a.b} $HOME {url}\" '{host}'x",
            "echo \"it's {port}\" \\\"{port}",
        ] {
            let shell = |command: &str| {
                let mut shell = std::process::Command::new("sh");
                shell.args(["-c", command]).output().unwrap().stdout
            };
            assert_eq!(shell(&literal(command)), shell(command));
            assert!(!has_placeholder(&literal(command)));
        }
    }
}
