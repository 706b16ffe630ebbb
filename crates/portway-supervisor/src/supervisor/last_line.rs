//! Finds the line of the last output that says why a process exited, or for what it waits.

use super::output::plain;

/// Parts of a line that reports an error.
const SIGNS: [&str; 17] = [
    "rror",
    "ERR",
    "xception",
    "annot ",
    "an't ",
    "could not",
    "Could not",
    "denied",
    "ailed",
    "fatal",
    "missing",
    "No module",
    "not found",
    "No such",
    "panicked",
    "refused",
    "required",
];

/// Parts of lines that only repeat that a command failed, or that follow an error.
const NOISE: [&str; 34] = [
    "A complete log of this run",
    "ELIFECYCLE",
    "ill retry in ",
    "Lifecycle script ",
    "npm error code",
    "npm error errno",
    "npm error path",
    "npm error command",
    "npm error signal",
    "npm error syscall",
    "npm error workspace",
    "npm error location",
    "npm ERR! code",
    "npm ERR! errno",
    "npm ERR! path",
    "npm ERR! command",
    "npm ERR! signal",
    "npm ERR! Failed at the ",
    "npm notice",
    "ommand failed with exit",
    "exited with code",
    "returned a non-zero",
    "returned non-zero exit status",
    "exit status ",
    "make: ",
    "make[",
    "error: Recipe ",
    "info Visit ",
    "Node.js v",
    "Bun v",
    "For more information",
    "with `RUST_BACKTRACE=1`",
    "error: script ",
    "note: This error originates from",
];

/// Starts of lines of a stack trace, or of what is printed around one.
const TRACE: [&str; 9] = ["at ", "File \"", "from ", "- ", "{", "}", "]", "^", "|"];

/// How many lines before the last one are searched for an error.
const MAX_LINES: usize = 30;

/// How many of the last lines can contain a question: its choices follow it.
const MAX_CHOICES: usize = 4;

/// Returns the last line that says why a process failed: an error, or else the last line with content.
pub(super) fn cause(lines: &[String]) -> Option<String> {
    let useful: Vec<String> = lines
        .iter()
        .rev()
        .take(MAX_LINES)
        .map(|line| plain(line).trim().to_owned())
        .filter(|line| is_useful(line))
        .collect();
    let last = useful.first()?;
    // What npm prints after this line names files and options.
    let conflict = useful.iter().find(|line| line.contains(" ERESOLVE "));
    let error = conflict.or_else(|| useful.iter().find(|line| is_error(line)));
    Some(error.unwrap_or(last).clone())
}

fn is_useful(line: &str) -> bool {
    line.contains(char::is_alphanumeric)
        && !NOISE.iter().any(|part| line.contains(part))
        && !TRACE.iter().any(|start| line.starts_with(start))
}

fn is_error(line: &str) -> bool {
    SIGNS.iter().any(|sign| line.contains(sign)) || names_exception(line)
}

/// Returns whether a line looks like the name of an exception and its message:
/// `django.core.ImproperlyConfigured: Set the variable`.
fn names_exception(line: &str) -> bool {
    let Some((name, _)) = line.split_once(": ") else {
        return false;
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || ['_', '.', ':'].contains(&c);
    let last = name.rsplit(['.', ':']).next().unwrap_or_default();
    name.chars().all(is_part)
        && name.contains('.')
        && last.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Returns the line with the question to which a process seems to wait for an answer.
pub(super) fn question(lines: &[String]) -> Option<String> {
    let mut last = lines
        .iter()
        .rev()
        .map(|line| plain(line).trim().to_owned())
        .filter(|line| !line.is_empty())
        .take(MAX_CHOICES);
    let first = last.next()?;
    if is_question(&first) {
        return Some(first);
    }
    // Only choices can follow a question.
    let is_choice = |line: &str| line.starts_with(['●', '○', '❯', '◉', '◯', '>', '└', '│', '[']);
    if !is_choice(&first) {
        return None;
    }
    last.find(|line| is_question(line))
}

fn is_question(line: &str) -> bool {
    const ANSWERS: [&str; 8] = [
        "(y)", "(y/n)", "[y/n]", "(yes/no)", "[yes/no]", "y/n", "(yes)", "[yes]",
    ];
    let line = line.to_lowercase();
    let end = line.trim_end_matches([':', '>', '›', '…', ' ']);
    end.ends_with('?')
        || line.starts_with("? ")
        || ANSWERS.iter().any(|answer| end.ends_with(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn finds_the_line_with_the_cause() {
        for (text, expected) in [
            (
                "added 3 packages\nError: no seed\n    at main.js:1\n\nNode.js v22.1.0",
                "Error: no seed",
            ),
            (
                "\u{1b}[31m ERR_PNPM_OUTDATED_LOCKFILE \u{1b}[0m Cannot install\n\n\
                 Note that in CI environments this setting is on",
                "ERR_PNPM_OUTDATED_LOCKFILE  Cannot install",
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1\n    import b\n\
                 django.core.exceptions.ImproperlyConfigured: Set the KEY variable",
                "django.core.exceptions.ImproperlyConfigured: Set the KEY variable",
            ),
            (
                "npm error code ELIFECYCLE\nsh: 1: vite: not found\nnpm error Lifecycle script `dev` \
                 failed with error:\nnpm error code 127\nnpm error A complete log of this run is in: /x",
                "sh: 1: vite: not found",
            ),
            (
                "thread 'main' panicked at src/main.rs:1:\nno config\nnote: run \
              with `RUST_BACKTRACE=1` environment variable",
                "thread 'main' panicked at src/main.rs:1:",
            ),
            ("loading\nplease set TOKEN\n}\n", "please set TOKEN"),
            (
                "npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree\n\
                 npm error peer x@\"2\" from y@1\nnpm error Fix the upstream dependency conflict\n\
                 npm error For a full report see:\nnpm error /x/eresolve-report.txt",
                "npm error ERESOLVE unable to resolve dependency tree",
            ),
            ("error: x\nmake: *** [Makefile:2: dev] Error 1", "error: x"),
        ] {
            assert_eq!(cause(&lines(text)).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(cause(&lines("\n}\n    at x\n")), None);
        assert_eq!(cause(&[]), None);
    }

    #[test]
    fn recognizes_a_question() {
        for (text, expected) in [
            (
                "Need to install the following packages:\ncowsay@1.6.0\nOk to proceed? (y) ",
                "Ok to proceed? (y)",
            ),
            (
                "starting\n\u{1b}[36m❯\u{1b}[39m Set the compatibility date to 2024-01-01?\n● Yes / ○ No",
                "❯ Set the compatibility date to 2024-01-01?",
            ),
            ("? Which port › 3000", "? Which port › 3000"),
            ("Overwrite it [y/N]:", "Overwrite it [y/N]:"),
        ] {
            assert_eq!(question(&lines(text)).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "listening on port 3000",
            "did you mean `dev`?\nstarting the server",
            "> app@1.0.0 dev\n> vite",
        ] {
            assert_eq!(question(&lines(text)), None, "{text}");
        }
    }
}
