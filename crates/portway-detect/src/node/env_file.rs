//! `.env` files that a command requires and that a fresh clone lacks: `node --env-file=.env`. Portway sets
//! the values of the example of `.env`, so the command runs without it; of another file, it reads the example.

use super::script::SimpleCommand;
use crate::Dir;
use crate::variables::example_of;

/// The option of Node, and of what runs Node, for a file that must exist.
const OPTION: &str = "--env-file";

/// The wrapper that ends if its file does not exist, and its options for the file.
const WRAPPER: &str = "env-cmd";
const WRAPPER_OPTIONS: [&str; 2] = ["-f", "--file"];

/// A file that a command requires and that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MissingEnvFile {
    /// What its command says: `--env-file=.env`.
    pub(super) option: String,
    /// The words of the command, as its script has them.
    pub(super) words: Vec<String>,
    /// The path of its example, relative to the directory of the package.
    pub(super) example: String,
}

impl MissingEnvFile {
    /// Why a command runs without its script; `command` begins like "its command runs".
    pub(super) fn why(&self, command: &str) -> String {
        let Self {
            option, example, ..
        } = self;
        format!(
            "the file of `{option}` is missing, so {command} without the script, with the values of {example}"
        )
    }
}

/// Removes the files that `command`, which runs in `dir`, requires, and of which only an example exists, or
/// names the example. Returns the first of them.
pub(super) fn remove_missing(dir: &Dir<'_>, command: &mut SimpleCommand) -> Option<MissingEnvFile> {
    let said = command.words.clone();
    let mut first = None;
    if command.wrapper.first().is_some_and(|word| word == WRAPPER) {
        let given = option(&command.wrapper, &WRAPPER_OPTIONS);
        let path = given.map_or(".env", |(_, path)| path);
        if let Some(example) = example(dir, path).filter(|_| path == ".env") {
            let option = format!("{WRAPPER} -f {path}");
            first = Some((option, example));
            command.wrapper.clear();
        }
    }
    let mut words = Vec::new();
    let mut rest = std::mem::take(&mut command.words);
    while let Some((at, path)) = option(&rest, &[OPTION]) {
        let path = path.to_owned();
        let mut after = rest.split_off(at);
        words.append(&mut rest);
        let count = if after[0].contains('=') { 1 } else { 2 };
        let named: Vec<String> = after.drain(..count.min(after.len())).collect();
        match example(dir, &path) {
            Some(example) => {
                if path.trim_start_matches("./") != ".env" {
                    words.extend([OPTION.to_owned(), example.clone()]);
                }
                let option = named.join(" ");
                first.get_or_insert((option, example));
            }
            None => words.extend(named),
        }
        rest = after;
    }
    words.append(&mut rest);
    command.words = words;
    first.map(|(option, example)| MissingEnvFile {
        option,
        words: said,
        example,
    })
}

/// Returns the place and the value of the first of these options among the words of a command.
fn option<'w>(words: &'w [String], options: &[&str]) -> Option<(usize, &'w str)> {
    words.iter().enumerate().find_map(|(at, word)| {
        let value = match word.split_once('=') {
            Some((option, value)) if options.contains(&option) => value,
            None if options.contains(&word.as_str()) => words.get(at + 1)?,
            _ => return None,
        };
        Some((at, value))
    })
}

/// Returns the path of the example of a file that does not exist.
fn example(dir: &Dir<'_>, path: &str) -> Option<String> {
    let (parent, name) = path.rsplit_once('/').unwrap_or_default();
    let name = if name.is_empty() { path } else { name };
    let parent = parent.trim_start_matches("./");
    let at = dir.below(parent)?;
    if at.has(name) {
        return None;
    }
    example_of(&at, name).map(|example| match parent {
        "" | "." => example,
        parent => format!("{parent}/{example}"),
    })
}

#[cfg(test)]
mod tests {
    use crate::fixture::only;

    #[test]
    fn a_command_runs_without_a_file_that_only_an_example_documents() {
        let server = (
            "server.js",
            "require('express')().listen(process.env.PORT || 3000)",
        );
        let example = (".env.example", "A=1\n");
        for (script, files, expected) in [
            (
                "node --env-file=.env server.js",
                &[example][..],
                "npm exec -- node server.js",
            ),
            (
                "tsx watch --env-file .env server.js",
                &[example],
                "npm exec -- tsx watch server.js",
            ),
            (
                "node --env-file=.env --env-file=.env.local server.js",
                &[example, (".env.local", "")],
                "node '--env-file=.env.local' server.js",
            ),
            (
                "env-cmd -f .env node server.js",
                &[example],
                "node server.js",
            ),
            ("env-cmd node server.js", &[example], "node server.js"),
            (
                "node --env-file=config/dev.env server.js",
                &[("config/dev.env.example", "A=1\n")],
                "node --env-file config/dev.env.example server.js",
            ),
            // The file exists, or nothing says what is in it, or it may be missing.
            (
                "node --env-file=.env server.js",
                &[example, (".env", "A=2\n")],
                "npm run dev",
            ),
            ("node --env-file=.env server.js", &[], "npm run dev"),
            (
                "node --env-file-if-exists=.env server.js",
                &[example],
                "npm run dev",
            ),
        ] {
            let package = format!(
                "{{\"scripts\": {{\"dev\": \"{script}\"}}, \"dependencies\": {{\"express\": \"5\"}}}}"
            );
            let mut all = vec![("package.json", package.as_str()), server];
            all.extend(files);
            let found = only(&all, &["npm"]);
            assert_eq!(
                found.command.trim_start_matches("npm exec -- "),
                expected.trim_start_matches("npm exec -- "),
                "{script} {files:?}"
            );
            let why = " is missing, so its command runs without the script, with the values of ";
            let has_why = found.evidence.iter().any(|one| one.contains(why));
            assert_eq!(has_why, expected != "npm run dev", "{script} {files:?}");
        }
    }
}
