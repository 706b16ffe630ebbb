//! `.env` files with any name that the command of a service, or a script that it runs, names:
//! `dotenv -e ../dev.env -- node server.js`, `uvicorn --env-file config/dev.env`.

use std::collections::BTreeSet;

use portway_project::mapping::{AppVariable, Origin};

use super::files;
use crate::Dir;

/// Programs that run a script of a `package.json` by its name.
const RUNNERS: [&str; 4] = ["npm", "pnpm", "yarn", "bun"];

/// Options of any program whose value is a file with variables.
const OPTIONS: [&str; 2] = ["--env-file", "--env-file-if-exists"];

/// Programs that read variables for the command that follows, with more options for the file.
const LOADERS: [(&str, &[&str]); 3] = [
    ("dotenv", &["-e", "-f", "--file"]),
    ("dotenvx", &["-f"]),
    ("env-cmd", &["-f", "--file"]),
];

/// Maximum number of scripts that run each other.
const MAX_SCRIPTS: usize = 8;

/// The variables of the files that a command names.
#[derive(Debug, Default)]
pub struct NamedFiles {
    /// The variables, in the order in which they override each other.
    pub variables: Vec<AppVariable>,
    /// The names of those that override the environment of the process, whatever Portway sets.
    pub overriding: BTreeSet<String>,
}

/// Reads the files that `command`, which runs in `dir`, names.
pub(super) fn read(dir: &Dir<'_>, command: &str) -> NamedFiles {
    let mut found = NamedFiles::default();
    let scripts = dir.json("package.json");
    let script = |name: &str| {
        let text = scripts.as_ref()?.get("scripts")?.get(name)?.as_str();
        text.map(str::to_owned)
    };
    let mut texts = vec![command.to_owned()];
    let mut next = 0;
    while let Some(text) = texts.get(next).cloned() {
        next += 1;
        for part in text.split(['&', '|', ';', '\n']) {
            let words: Vec<&str> = part
                .split_whitespace()
                .map(|word| word.trim_matches(['"', '\'', '(', ')']))
                .collect();
            for (path, is_overriding) in paths(&words) {
                let Some((place, name)) = at(dir, path) else {
                    continue;
                };
                let variables = files::read(&place, &name, Origin::File);
                if is_overriding {
                    let names = variables.iter().map(|one| one.name.clone());
                    found.overriding.extend(names);
                }
                found.variables.extend(variables);
            }
            let inner = run_by(&words).filter_map(script);
            texts.extend(inner.take(MAX_SCRIPTS.saturating_sub(texts.len())));
        }
    }
    found
}

/// Returns the files that a command names, and whether their variables override the environment.
fn paths<'w>(words: &[&'w str]) -> Vec<(&'w str, bool)> {
    let mut found = Vec::new();
    let mut loader: &[&str] = &[];
    let mut overrides = false;
    for (index, word) in words.iter().enumerate() {
        let program = word.rsplit('/').next().unwrap_or(word);
        if let Some((name, options)) = LOADERS.iter().find(|(name, _)| *name == program) {
            loader = options;
            // `dotenv run` is Python's, which overrides like `env-cmd`.
            overrides = match *name {
                "env-cmd" => !words.contains(&"--no-override"),
                "dotenv" if words[index..].contains(&"run") => !words.contains(&"--no-override"),
                "dotenv" => words[index..].contains(&"-o"),
                _ => words.contains(&"--overload"),
            };
        } else if *word == "--" {
            loader = &[];
        }
        let (option, value) = word.split_once('=').unwrap_or((word, ""));
        if OPTIONS.contains(&option) || loader.contains(&option) {
            let value = match value {
                "" => words.get(index + 1).copied().unwrap_or_default(),
                value => value,
            };
            found.push((value, overrides && loader.contains(&option)));
        }
    }
    found
}

/// Returns the names that may be scripts which a command runs: `dev` in `corepack pnpm run dev --port 1`.
fn run_by<'w>(words: &[&'w str]) -> impl Iterator<Item = &'w str> {
    let names = words.iter().enumerate().filter_map(|(index, word)| {
        let mut rest = words[index + 1..].iter().copied();
        let is_option = |word: &&str| word.starts_with('-');
        let mut rest = rest.by_ref().filter(|word| !is_option(word));
        if !RUNNERS.contains(word) {
            return None;
        }
        match rest.next()? {
            "run" | "run-script" => rest.next(),
            name => Some(name),
        }
    });
    names.collect::<Vec<_>>().into_iter()
}

/// Returns the directory and the name of a file in the checkout that a command names relative to `dir`.
fn at<'d>(dir: &Dir<'d>, path: &str) -> Option<(Dir<'d>, String)> {
    let (parts, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut place = dir.below("")?;
    for part in parts.split('/').filter(|part| !["", "."].contains(part)) {
        place = match part {
            ".." => place.up()?,
            part => place.sub(part)?,
        };
    }
    (!path.starts_with('/') && place.has(name)).then(|| (place, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::of_command;

    fn found(scripts: &str, command: &str) -> (Vec<String>, Vec<String>) {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("api/package.json", scripts),
            ("shared.env", "SHARED=http://localhost:1\n"),
            ("api/conf/dev.env", "DEV=http://localhost:2\n"),
            ("api/other.env", "OTHER=http://localhost:3\n"),
        ] {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = of_command(temp.path(), "api", command);
        let variables = found.variables.iter();
        let names = variables.map(|one| format!("{} {}", one.name, one.place.file));
        (names.collect(), found.overriding.into_iter().collect())
    }

    #[test]
    fn reads_files_that_commands_and_scripts_name() {
        const SHARED: &str = "SHARED shared.env";
        const DEV: &str = "DEV api/conf/dev.env";
        const OTHER: &str = "OTHER api/other.env";
        for (command, expected) in [
            (
                "npx dotenv -e ../shared.env -- node server.js",
                &[SHARED][..],
            ),
            (
                "dotenv -e ../shared.env -e conf/dev.env node x",
                &[SHARED, DEV],
            ),
            ("dotenvx run -f conf/dev.env -- node x.js", &[DEV]),
            (
                "node --env-file=conf/dev.env --env-file ../shared.env x.js",
                &[DEV, SHARED],
            ),
            (
                ".venv/bin/uvicorn app:app --env-file ./conf/dev.env",
                &[DEV],
            ),
            ("flask --env-file other.env run", &[OTHER]),
            ("bun --env-file=other.env run x.ts", &[OTHER]),
            ("docker compose --env-file other.env up", &[OTHER]),
            ("npm run dev -- --port 1", &[DEV, OTHER]),
            ("corepack pnpm dev", &[DEV, OTHER]),
            ("node -e x dev", &[]),
            ("tail -f other.env", &[]),
            (
                "node --env-file=/etc/passwd --env-file=gone.env --env-file",
                &[],
            ),
        ] {
            let scripts = r#"{"scripts": {
                "dev": "npm run env -- node s.js && echo --env-file=conf/dev.env",
                "env": "dotenv -e other.env",
                "loop": "npm run loop"
            }}"#;
            assert_eq!(found(scripts, command).0, expected, "{command}");
        }
        assert_eq!(
            found(r#"{"scripts": {"a": "npm run a"}}"#, "npm run a").0,
            [""; 0]
        );
    }

    #[test]
    fn says_which_variables_override_the_environment() {
        for (command, expected) in [
            ("env-cmd -f other.env node x.js", &["OTHER"][..]),
            ("env-cmd --no-override -f other.env node x.js", &[]),
            (
                "env-cmd -f other.env node --env-file conf/dev.env x.js",
                &["OTHER"],
            ),
            ("dotenv -f other.env run -- python x.py", &["OTHER"]),
            ("dotenv -e other.env -- node x.js", &[]),
            ("node --env-file other.env x.js", &[]),
        ] {
            assert_eq!(found("{}", command).1, expected, "{command}");
        }
    }
}
