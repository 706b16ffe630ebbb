//! The compose files and profiles that the scripts of a project name.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::Dir;

/// Files with recipes.
const RECIPES: [&str; 6] = [
    "Makefile",
    "makefile",
    "GNUmakefile",
    "justfile",
    "Justfile",
    ".justfile",
];

/// How commands start Compose.
const PROGRAMS: [&str; 3] = ["docker compose ", "docker-compose ", "podman compose "];

/// Parts of the names of files for development.
const DEVELOPMENT: [&str; 5] = ["dev", "develop", "development", "devel", "local"];

/// Parts of the names of files for something else.
const OTHER: [&str; 14] = [
    "bench",
    "ci",
    "deploy",
    "deployment",
    "e2e",
    "prod",
    "production",
    "release",
    "stage",
    "staging",
    "swarm",
    "test",
    "testing",
    "tests",
];

/// A command that starts Compose.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ComposeCommand {
    /// The files that it names, relative to the root.
    pub(super) files: Vec<String>,
    /// The profiles that it names.
    pub(super) profiles: Vec<String>,
}

impl ComposeCommand {
    /// Returns whether one of its files is for development, by its name.
    pub(super) fn is_for_development(&self) -> bool {
        self.files.iter().any(|name| has_part(name, &DEVELOPMENT))
    }

    /// Returns whether one of its files is for a deployment or for tests, by its name.
    pub(super) fn is_for_deployment(&self) -> bool {
        self.files.iter().any(|name| has_part(name, &OTHER))
    }
}

/// Returns whether a file in the root is a compose file for development, by its name.
pub(super) fn is_development_file(name: &str) -> bool {
    let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    let is_compose = name.starts_with("compose") || name.starts_with("docker-compose");
    is_yaml && is_compose && has_part(name, &DEVELOPMENT) && !has_part(name, &OTHER)
}

/// Returns whether a file is a compose file for some of the services, by its name: `docker-compose.db.yml`.
pub(super) fn is_partial_file(name: &str) -> bool {
    is_variant(name) && !has_part(name, &OTHER) && !has_part(name, &["override"])
}

/// Returns whether a file is a compose file that Compose reads only if it is named.
pub(super) fn is_variant(name: &str) -> bool {
    let stem = name
        .strip_suffix(".yml")
        .or_else(|| name.strip_suffix(".yaml"));
    let stem = stem.map(|stem| stem.strip_prefix("docker-").unwrap_or(stem));
    let rest = stem.and_then(|stem| stem.strip_prefix("compose"));
    let has_more = rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with(['.', '-', '_']));
    // `portway compose` writes a file with this part.
    has_more && !has_part(name, &["portway"])
}

/// Returns whether a file name has one of these parts: `docker-compose.dev.yml` has `dev`.
fn has_part(path: &str, parts: &[&str]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    name.split(['.', '-', '_'])
        .any(|part| parts.contains(&part))
}

/// Returns the commands that start Compose in the scripts and recipes of the root.
pub(super) fn read(root: &Dir<'_>) -> Vec<ComposeCommand> {
    let mut lines: Vec<String> = Vec::new();
    let package = root.has("package.json").then(|| root.json("package.json"));
    let package = package.flatten();
    let scripts = package
        .as_ref()
        .and_then(|file| file.get("scripts")?.as_object());
    let scripts = scripts.into_iter().flat_map(|all| all.values());
    lines.extend(scripts.filter_map(|script| Some(script.as_str()?.to_owned())));
    if let Some(text) = root.first_of(&RECIPES).and_then(|name| root.read(name)) {
        let joined = text.replace("\\\n", " ");
        let variables = variables(&joined);
        lines.extend(joined.lines().map(|line| expanded(line, &variables)));
    }
    let mut seen = BTreeSet::new();
    let commands = lines.iter().flat_map(|line| in_line(line));
    commands
        .filter(|one| seen.insert((one.files.clone(), one.profiles.clone())))
        .collect()
}

/// Returns the variables that a Makefile or justfile sets: `NAME := value`, `NAME ?= value`.
fn variables(text: &str) -> IndexMap<&str, &str> {
    let is_name = |name: &str| {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        !name.is_empty() && name.bytes().all(is_part)
    };
    let lines = text
        .lines()
        .filter(|line| !line.starts_with([' ', '\t', '#']));
    let pairs = lines.filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.trim_end_matches([':', '?', ' ', '\t']);
        let name = name.strip_prefix("export ").unwrap_or(name).trim();
        let value = value.trim().trim_matches(['"', '\'']);
        is_name(name).then_some((name, value))
    });
    pairs.collect()
}

/// Maximum depth of variables that name variables, and maximum length of a line with their values, in bytes.
const MAX_DEPTH: usize = 5;
const MAX_LINE: usize = 2000;

/// Returns a line with the values of these variables: `$(NAME)`, `${NAME}` and `{{NAME}}`.
fn expanded(line: &str, variables: &IndexMap<&str, &str>) -> String {
    let mut text = line.to_owned();
    for _ in 0..MAX_DEPTH {
        let mut next = text.clone();
        for (name, value) in variables {
            for pattern in [
                format!("$({name})"),
                format!("${{{name}}}"),
                format!("{{{{{name}}}}}"),
            ] {
                if next.contains(&pattern) && next.len() < MAX_LINE {
                    next = next.replace(&pattern, value);
                }
            }
        }
        if next == text {
            break;
        }
        text = next;
    }
    text
}

/// Returns the commands that start Compose in a line of a shell.
fn in_line(line: &str) -> Vec<ComposeCommand> {
    if line.trim_start().starts_with('#') {
        return Vec::new();
    }
    let parts = line.split([';', '&', '|']);
    let options = parts.filter_map(|part| {
        let mut programs = PROGRAMS.iter();
        programs.find_map(|program| Some(part.split_once(program)?.1))
    });
    options.filter_map(parse).collect()
}

/// Parses the options before the subcommand. `None` if a variable decides.
fn parse(options: &str) -> Option<ComposeCommand> {
    let mut command = ComposeCommand::default();
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let list = match name {
            "-f" | "--file" => &mut command.files,
            "--profile" => &mut command.profiles,
            "-p" | "--project-name" | "--env-file" | "--project-directory" | "--ansi" => {
                if value.is_none() {
                    words.next();
                }
                continue;
            }
            name if name.starts_with('-') => continue,
            _ => break,
        };
        let value = value.or_else(|| words.next())?;
        let value = value.trim_matches(['"', '\'']).trim_start_matches("./");
        if value.contains('$') || value == "-" {
            return None;
        }
        list.push(value.to_owned());
    }
    Some(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_files_and_profiles_of_commands() {
        let of = |line: &str| {
            let all = in_line(line).into_iter();
            let all = all.map(|one| format!("{} {}", one.files.join("+"), one.profiles.join("+")));
            all.collect::<Vec<_>>().join(" | ")
        };
        for (line, found) in [
            (
                "docker compose -f dev.yml -f ./x/y.yml up -d",
                "dev.yml+x/y.yml ",
            ),
            ("\t@docker-compose --file=\"a.yml\" -p shop up", "a.yml "),
            (
                "docker compose --profile web up -f no && podman compose -f b.yml ps",
                " web | b.yml ",
            ),
            ("$(COMPOSE) -f x.yml up", ""),
            ("docker compose -f $(FILE) up", ""),
            ("# docker compose -f x.yml up", ""),
            ("docker build -f Dockerfile .", ""),
        ] {
            assert_eq!(of(line), found, "{line}");
        }
    }

    #[test]
    fn variables_name_files() {
        for (text, line, files) in [
            (
                "DIR := infra/docker\nFILE := $(DIR)/db.yml\nup:\n\t@docker compose -f $(FILE) up -d\n",
                "\t@docker compose -f $(FILE) up -d",
                "infra/docker/db.yml",
            ),
            (
                "COMPOSE ?= docker compose -f ops/db.yml\n",
                "\t$(COMPOSE) up",
                "ops/db.yml",
            ),
            (
                "file := \"x/db.yml\"\n",
                "    docker compose -f {{file}} up",
                "x/db.yml",
            ),
            ("A = $(B)\nB = $(A)\n", "docker compose -f $(A) up", ""),
        ] {
            let all = in_line(&expanded(line, &variables(text)));
            let found: Vec<String> = all.into_iter().flat_map(|one| one.files).collect();
            assert_eq!(found.join("+"), files, "{text}");
        }
    }

    #[test]
    fn names_say_what_files_are_for() {
        for (name, is_development) in [
            ("docker-compose.dev.yml", true),
            ("compose-local.yaml", true),
            ("docker-compose.yml", false),
            ("docker-compose.dev.test.yml", false),
            ("compose.prod.yml", false),
            ("devices.yml", false),
        ] {
            assert_eq!(is_development_file(name), is_development, "{name}");
        }
        for (name, is_partial) in [
            ("docker-compose.db.yml", true),
            ("compose-infra.yaml", true),
            ("docker-compose.yml", false),
            ("compose.override.yml", false),
            ("docker-compose.prod.yml", false),
            ("compose.portway.yaml", false),
            ("composer.yml", false),
            ("process-compose.dev.yml", false),
        ] {
            assert_eq!(is_partial_file(name), is_partial, "{name}");
        }
    }
}
