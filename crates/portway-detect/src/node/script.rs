//! Splits a script into its commands.

mod split;

use shlex::Shlex;

use self::split::{Separator, is_plain, split, without_redirections};

/// A parsed script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// The last command, which runs as long as the script does.
    pub(super) last: SimpleCommand,
    /// The commands before it.
    pub(super) before: Vec<Step>,
    /// What follows it: redirections, and the programs that read what it prints.
    pub(super) after: String,
    /// Whether it is written without syntax that is not followed: brackets and backticks.
    pub(super) is_plain: bool,
    /// Whether it is the only command.
    pub(super) is_alone: bool,
    /// Whether arguments after the script reach it, and no other command runs at the same time.
    pub(super) ends_simply: bool,
}

/// A command that runs before another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) run: StepRun,
    /// What joins it to the next command: `&&`, `||`, `;` or `|`.
    pub(super) joint: &'static str,
}

/// What a [`Step`] runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StepRun {
    /// A command, as written.
    Command(String),
    /// A script of the package.
    Script(String),
    /// A script that the package manager runs before another one, because of its name.
    Hook(String),
}

/// Packages with a scope, which `npx` runs by their name, and their programs.
const SCOPED: [(&str, &str); 8] = [
    ("@11ty/eleventy", "eleventy"),
    ("@angular/cli", "ng"),
    ("@docusaurus/core", "docusaurus"),
    ("@nestjs/cli", "nest"),
    ("@react-router/dev", "react-router"),
    ("@remix-run/dev", "remix"),
    ("@rsbuild/core", "rsbuild"),
    ("@vue/cli-service", "vue-cli-service"),
];

/// One command of a script, without wrappers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SimpleCommand {
    /// Variables that are set for this command only.
    pub(super) env: Vec<(String, String)>,
    /// The words of a program that sets variables and then runs this command; may be empty.
    pub(super) wrapper: Vec<String>,
    /// A program around it that chooses a port itself, so the command runs without it.
    pub(super) replaced: Option<&'static str>,
    /// Its program without a path, followed by its arguments.
    pub(super) words: Vec<String>,
}

/// Wrappers that run the command that follows.
const RUNNERS: [&str; 12] = [
    "corepack",
    "pnpm dlx",
    "yarn dlx",
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

/// Wrappers that choose a port, pass it to the command that follows, and serve it under a name.
const PORT_CHOOSERS: [&str; 1] = ["portless"];

/// Options of [`PORT_CHOOSERS`] that take a value.
const CHOOSER_OPTIONS: [&str; 4] = ["--name", "--port", "-p", "--app-port"];

/// Wrappers that fetch variables and pass them to the command after `--`. They are installed on the
/// machine rather than with a package.
pub(super) const SECRET_SETTERS: [&str; 12] = [
    "bws",
    "mise",
    "phase",
    "railway",
    "varlock",
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
        // The first command of a pipe serves, the others read what it prints.
        let is_in_pipe = |index: usize| index > 0 && commands[index - 1].1 == Separator::Pipe;
        let mut at = commands.len().checked_sub(1)?;
        while is_in_pipe(at) {
            at -= 1;
        }
        let (last, separator) = commands[at];
        let (command, redirected) = without_redirections(last);
        let mut after = redirected.to_owned();
        if separator == Separator::Pipe {
            let start = last.as_ptr() as usize - text.as_ptr() as usize + last.len();
            after = format!("{after} {}", text[start..].trim())
                .trim()
                .to_owned();
        }
        let before = commands[..at].iter().map(|(command, separator)| Step {
            run: StepRun::Command(command.trim().to_owned()),
            joint: separator.text(),
        });
        Some(Self {
            last: SimpleCommand::parse(command)?,
            before: before.collect(),
            is_plain: is_plain(text, command)
                && commands[..at]
                    .iter()
                    .all(|(_, separator)| *separator != Separator::Background),
            after,
            is_alone: commands.len() == 1 && is_sequence,
            ends_simply: is_sequence && !last.contains(['>', '<', '`', '(']),
        })
    }

    /// Returns the parts of a script that run at the same time, because `&` puts all but the last into the
    /// background.
    pub(super) fn at_once(text: &str) -> Vec<&str> {
        let (commands, _) = split(text);
        let mut parts = Vec::new();
        let mut start = 0;
        for (command, separator) in commands {
            // Both are slices of the same text.
            let end = command.as_ptr() as usize - text.as_ptr() as usize + command.len();
            if separator == Separator::Background {
                parts.push(text[start..end].trim());
                start = end + 1;
            }
        }
        // `wait` waits for the others.
        let last = text[start..].trim();
        let last = last.strip_suffix("wait").unwrap_or(last).trim_end();
        parts.push(last.trim_end_matches([';', '&']).trim());
        parts.retain(|part| !part.is_empty());
        parts
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
        let mut replaced = None;
        let mut is_set = false;
        loop {
            let first = words.first()?;
            let runner = RUNNERS.iter().map(|runner| runner.split(' ').collect());
            let runner = runner.into_iter().find(|runner: &Vec<&str>| {
                words.len() > runner.len() && runner.iter().zip(&words).all(|(a, b)| a == b)
            });
            if first == "bun" && words.get(1).is_some_and(|word| word == "--bun") {
                words.remove(1);
            } else if let Some((name, value)) = assignment(first) {
                env.push((name.to_owned(), value.to_owned()));
                words.remove(0);
            } else if is_set && is_optional_assignment(first) {
                words.remove(0);
            } else if SETTERS.contains(&first.as_str()) {
                is_set = true;
                let end = words.iter().position(|word| word == "--");
                words.drain(..end.map_or(1, |end| end + 1));
            } else if let Some(chooser) = PORT_CHOOSERS.into_iter().find(|name| first == name) {
                let count = chooser_length(&words)?;
                words.drain(..count);
                replaced = Some(chooser);
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
        run_by_path(&mut words);
        Some(Self {
            env,
            wrapper,
            replaced,
            words,
        })
    }

    /// Its program, without the version that `npx vite@latest` names; that of the package `npx @11ty/eleventy`.
    pub(super) fn program(&self) -> &str {
        let word = self.words.first().map_or("", String::as_str);
        let name = match word.rsplit_once('@') {
            Some((name, _)) if !name.is_empty() => name,
            _ => word,
        };
        let package = SCOPED.iter().find(|(package, _)| *package == name);
        package.map_or(name, |(_, program)| program)
    }

    /// Returns the files from which it, or the wrapper before it, reads variables.
    pub(super) fn env_files(&self) -> Vec<&str> {
        let own = values(&self.words, &["--env-file", "--env-file-if-exists"]);
        let of_wrapper = values(&self.wrapper, &["-e", "-f", "--file", "--env-file"]);
        of_wrapper.into_iter().chain(own).collect()
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

/// Returns the values of all occurrences of these flags: `-f a`, `--file=a`.
fn values<'w>(words: &'w [String], flags: &[&str]) -> Vec<&'w str> {
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        match word.split_once('=') {
            Some((flag, value)) if flags.contains(&flag) => found.push(value),
            None if flags.contains(&word.as_str()) => {
                found.extend(words.get(index + 1).map(String::as_str));
            }
            _ => {}
        }
    }
    found
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

/// Returns how many words at the start belong to a wrapper that chooses a port: its name, its options and
/// the name under which it serves, or `run`.
fn chooser_length(words: &[String]) -> Option<usize> {
    if let Some(at) = words.iter().position(|word| word == "--") {
        return Some(at + 1).filter(|count| *count < words.len());
    }
    let mut count = 1;
    let mut has_name = false;
    while let Some(word) = words.get(count) {
        if CHOOSER_OPTIONS.contains(&word.as_str()) {
            count += 2;
        } else if word.starts_with('-') {
            count += 1;
        } else if has_name {
            return Some(count);
        } else {
            has_name = true;
            count += 1;
        }
    }
    None
}

/// Replaces the path of a package's program that `node` runs by its name:
/// `node node_modules/next/dist/bin/next dev` runs `next dev`.
fn run_by_path(words: &mut Vec<String>) {
    if words.first().is_none_or(|program| program != "node") {
        return;
    }
    let path = words.iter().position(|word| word.contains("node_modules/"));
    if let Some(at) = path.filter(|at| words[1..*at].iter().all(|word| word.starts_with('-'))) {
        let name = words[at].rsplit('/').next().unwrap_or("");
        let name = name
            .trim_end_matches(".js")
            .trim_end_matches(".mjs")
            .to_owned();
        words.drain(..at);
        words[0] = name;
    }
}

/// Returns whether this is a short flag with its number attached: `-p3000`.
fn is_glued(flag: &str, rest: &str) -> bool {
    flag.len() == 2 && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether a word becomes an assignment or nothing, by whether a variable is set: `${HOST:+NAME=$HOST}`.
fn is_optional_assignment(word: &str) -> bool {
    let inner = word
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'));
    let text = inner.and_then(|inner| inner.split_once('+'));
    text.is_some_and(|(_, text)| assignment(text).is_some())
}

/// Parses `NAME=value`.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some((name, value))
}

#[cfg(test)]
mod tests;
