//! Splits a script into its commands.

use shlex::Shlex;

/// A parsed script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// The last command, which runs as long as the script does.
    pub(super) last: SimpleCommand,
    /// Whether it is the only command.
    pub(super) is_alone: bool,
    /// Whether arguments after the script reach it, and no other command runs at the same time.
    pub(super) ends_simply: bool,
}

/// One command of a script, without wrappers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SimpleCommand {
    /// Variables that are set for this command only.
    pub(super) env: Vec<(String, String)>,
    /// The words of a program that sets variables and then runs this command; may be empty.
    pub(super) wrapper: Vec<String>,
    /// Its program without a path, followed by its arguments.
    pub(super) words: Vec<String>,
}

/// Wrappers that run the command that follows.
const RUNNERS: [&str; 9] = [
    "npx",
    "bunx",
    "pnpx",
    "pnpm exec",
    "yarn exec",
    "npm exec",
    "bun x",
    "exec",
    "time",
];

/// Wrappers that set the variables among their arguments for the command that follows.
const SETTERS: [&str; 3] = ["cross-env", "cross-env-shell", "env"];

/// Wrappers that read variables from files and pass them to the command that follows, with their
/// options that take a value.
const FILE_SETTERS: [(&str, &[&str]); 3] = [
    ("dotenv", &["-e", "-p", "-v"]),
    ("dotenvx", &["-f", "-fk", "--env-file", "--env"]),
    (
        "env-cmd",
        &["-f", "--file", "-e", "--environments", "-r", "--rc-file"],
    ),
];

/// Wrappers that fetch variables and pass them to the command after `--`. They are installed on the
/// machine rather than with a package.
pub(super) const SECRET_SETTERS: [&str; 7] = [
    "aws-vault",
    "chamber",
    "doppler",
    "infisical",
    "op",
    "teller",
    "vault",
];

impl Script {
    /// Parses a script; `None` if it cannot be split into words.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (commands, is_sequence) = split(text);
        let last = commands.last()?;
        Some(Self {
            last: SimpleCommand::parse(last)?,
            is_alone: commands.len() == 1 && is_sequence,
            ends_simply: is_sequence && !last.contains(['>', '<', '`', '(']),
        })
    }
}

impl SimpleCommand {
    fn parse(text: &str) -> Option<Self> {
        let mut lexer = Shlex::new(text);
        let mut words: Vec<String> = lexer.by_ref().collect();
        if lexer.had_error {
            return None;
        }
        let mut env = Vec::new();
        let mut wrapper = Vec::new();
        loop {
            let first = words.first()?;
            let runner = RUNNERS.iter().map(|runner| runner.split(' ').collect());
            let runner = runner.into_iter().find(|runner: &Vec<&str>| {
                words.len() > runner.len() && runner.iter().zip(&words).all(|(a, b)| a == b)
            });
            if let Some((name, value)) = assignment(first) {
                env.push((name.to_owned(), value.to_owned()));
                words.remove(0);
            } else if SETTERS.contains(&first.as_str()) {
                let end = words.iter().position(|word| word == "--");
                words.drain(..end.map_or(1, |end| end + 1));
            } else if let Some(count) = wrapper_length(&words) {
                wrapper.extend(words.drain(..count));
            } else if let Some(runner) = runner {
                words.drain(..runner.len());
                while words.first().is_some_and(|word| word.starts_with('-')) {
                    words.remove(0);
                }
            } else {
                break;
            }
        }
        let program = &mut words[0];
        if let Some((_, name)) = program.rsplit_once(".bin/") {
            *program = name.to_owned();
        }
        Some(Self {
            env,
            wrapper,
            words,
        })
    }

    /// Its program.
    pub(super) fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Its arguments.
    pub(super) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Returns the value of the first of these flags: `--port 1`, `--port=1`, `-p1`.
    pub(super) fn flag(&self, flags: &[&str]) -> Option<&str> {
        let arguments = self.arguments();
        arguments.iter().enumerate().find_map(|(index, argument)| {
            let flag = flags.iter().find(|flag| argument.starts_with(**flag))?;
            let rest = &argument[flag.len()..];
            match rest.strip_prefix('=') {
                Some(value) => Some(value),
                None if rest.is_empty() => Some(arguments.get(index + 1).map_or("", |next| next)),
                None if is_glued(flag, rest) => Some(rest),
                None => None,
            }
        })
    }

    /// Returns the command without these flags and their values.
    pub(super) fn without_flag(&self, flags: &[&str]) -> Self {
        let mut words = Vec::new();
        let mut all = self.words.iter();
        while let Some(word) = all.next() {
            if flags.contains(&word.as_str()) {
                all.next();
            } else if !flags.iter().any(|flag| {
                let rest = word.strip_prefix(flag);
                rest.is_some_and(|rest| rest.starts_with('=') || is_glued(flag, rest))
            }) {
                words.push(word.clone());
            }
        }
        Self {
            words,
            ..self.clone()
        }
    }
}

/// Returns how many words at the start belong to a wrapper that reads or fetches variables.
fn wrapper_length(words: &[String]) -> Option<usize> {
    let first = words.first()?.as_str();
    let separator = words.iter().position(|word| word == "--");
    if SECRET_SETTERS.contains(&first) {
        return separator.map(|at| at + 1);
    }
    let (_, with_value) = FILE_SETTERS.iter().find(|(name, _)| *name == first)?;
    if let Some(at) = separator {
        return Some(at + 1);
    }
    let mut count = 1;
    while let Some(word) = words.get(count) {
        if with_value.contains(&word.as_str()) {
            count += 2;
        } else if word.starts_with('-') || word == "run" {
            count += 1;
        } else {
            return Some(count);
        }
    }
    None
}

/// Returns whether this is a short flag with its number attached: `-p3000`.
fn is_glued(flag: &str, rest: &str) -> bool {
    flag.len() == 2 && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
}

/// Parses `NAME=value`.
fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value))
}

/// Splits a script into commands, and returns whether they run one after the other.
fn split(text: &str) -> (Vec<&str>, bool) {
    let mut commands = Vec::new();
    let mut is_sequence = true;
    let (mut start, mut quote, mut escaped) = (0, None, false);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let here = at;
        at += 1;
        if std::mem::take(&mut escaped) {
            continue;
        }
        match (byte, quote) {
            (b'\\', None | Some(b'"')) => escaped = true,
            (b'\'' | b'"', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            // The ampersand of `2>&1` separates nothing.
            (b'>' | b'<', None) if bytes.get(at) == Some(&b'&') => at += 1,
            (b';' | b'\n', None) => {
                commands.push(&text[start..here]);
                start = at;
            }
            (b'&' | b'|', None) => {
                if bytes.get(at) == Some(&byte) {
                    at += 1;
                    is_sequence &= byte == b'&';
                } else {
                    is_sequence = false;
                }
                commands.push(&text[start..here]);
                start = at;
            }
            _ => {}
        }
    }
    commands.push(&text[start..]);
    commands.retain(|command| !command.trim().is_empty());
    (commands, is_sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, bool, bool) {
        let script = Script::parse(text).unwrap();
        (
            script.last.words.join(" "),
            script.is_alone,
            script.ends_simply,
        )
    }

    #[test]
    fn finds_the_last_command_of_a_script() {
        for (text, words, is_alone, ends_simply) in [
            ("vite", "vite", true, true),
            ("NODE_ENV=dev vite --open", "vite --open", true, true),
            ("cross-env A=1 B=2 next dev", "next dev", true, true),
            ("dotenv -e .env.local -- next dev", "next dev", true, true),
            ("dotenv -e .env.local next dev", "next dev", true, true),
            ("dotenvx run -f .env -- vite", "vite", true, true),
            ("env-cmd -f .env.dev A=1 ng serve", "ng serve", true, true),
            (
                "doppler run --project x -- npx next dev",
                "next dev",
                true,
                true,
            ),
            ("op run --env-file=.env -- vite", "vite", true, true),
            ("npx -y astro dev", "astro dev", true, true),
            ("pnpm exec vite", "vite", true, true),
            ("./node_modules/.bin/ng serve", "ng serve", true, true),
            ("tsc -b && vite", "vite", false, true),
            ("prisma generate; next dev", "next dev", false, true),
            ("tsc -w & node dist", "node dist", false, false),
            ("vite | cat", "cat", false, false),
            ("a || b", "b", false, false),
            ("vite 2>&1", "vite 2>&1", true, false),
            ("echo 'a && b' && x", "x", false, true),
        ] {
            let expected = (words.to_owned(), is_alone, ends_simply);
            assert_eq!(parsed(text), expected, "{text}");
        }
        for text in ["", "  ", "a 'b", "A=1", "npx", "cross-env"] {
            let program = Script::parse(text).map(|script| script.last.program().to_owned());
            assert!(matches!(program.as_deref(), None | Some("npx")), "{text}");
        }
    }

    #[test]
    fn reads_and_removes_flags() {
        let simple = |text: &str| Script::parse(text).unwrap().last;
        let flags = ["--port", "-p"];
        for (text, value, without) in [
            ("vite --port 3000 --open", Some("3000"), "vite --open"),
            ("vite --port=3000", Some("3000"), "vite"),
            ("next dev -p 1 x", Some("1"), "next dev x"),
            ("next dev -p1", Some("1"), "next dev"),
            ("vite --port", Some(""), "vite"),
            ("vite --portal 1", None, "vite --portal 1"),
            ("vite -prod", None, "vite -prod"),
            ("vite", None, "vite"),
        ] {
            assert_eq!(simple(text).flag(&flags), value, "{text}");
            assert_eq!(simple(text).without_flag(&flags).words.join(" "), without);
        }
    }
}
