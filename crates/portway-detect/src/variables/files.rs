//! `.env` files and their examples.

use indexmap::IndexMap;
use portway_project::dotenv;
use portway_project::mapping::{AppVariable, Origin};

use super::variable;
use crate::addresses::has_address;
use crate::{Dir, environments};

/// Files that programs load in development, in the order in which they override each other for most
/// programs.
pub const IN_USE: [&str; 6] = [
    ".env",
    ".env.dev",
    ".env.development",
    ".env.local",
    ".env.dev.local",
    ".env.development.local",
];

/// The same in the order of Vite and of what is built on it, where a file of a mode overrides
/// `.env.local`.
///
/// Source: <https://vite.dev/guide/env-and-mode>
const IN_USE_BY_VITE: [&str; 6] = [
    ".env",
    ".env.local",
    ".env.dev",
    ".env.development",
    ".env.dev.local",
    ".env.development.local",
];

/// Parts of names of example files, which no program loads.
const EXAMPLES: [&str; 7] = [
    "example", "sample", "template", "tmpl", "dist", "default", "defaults",
];

/// Parts of names of files for a server to which the project is deployed.
const DEPLOYMENTS: [&str; 18] = [
    "cloud",
    "coolify",
    "deploy",
    "deployment",
    "dokku",
    "fly",
    "heroku",
    "hosted",
    "k8s",
    "kubernetes",
    "live",
    "netlify",
    "railway",
    "release",
    "selfhost",
    "selfhosted",
    "vercel",
    "vps",
];

/// Returns the files in use of a directory, in the order in which they override each other there.
pub(super) fn in_use<'d>(dir: &'d Dir<'_>) -> impl DoubleEndedIterator<Item = &'d str> {
    let is_vite =
        |file: &str| file.starts_with("vite.config.") || file.starts_with("astro.config.");
    let order = match dir.files().any(is_vite) {
        true => IN_USE_BY_VITE,
        false => IN_USE,
    };
    let names = order.into_iter().map(|name: &str| name);
    names.filter(|name| dir.has(name))
}

/// Returns whether programs load a file with this name in development.
pub fn is_in_use(name: &str) -> bool {
    IN_USE.contains(&name)
}

/// Returns whether a file with this name is an example of a `.env` file for development.
pub fn is_example(name: &str) -> bool {
    let parts = || name.split(['.', '-', '_']).filter(|part| !part.is_empty());
    let has = |known: &[&str]| parts().any(|part| known.contains(&part));
    parts().any(|part| part == "env")
        && has(&EXAMPLES)
        && !parts().any(environments::is_other)
        && !has(&DEPLOYMENTS)
}

/// Returns whether a part of a path names another environment than development: `deploy/production/.env.example`.
pub(crate) fn is_for_other_environment(path: &str) -> bool {
    let mut parts = path.split(|c: char| !c.is_ascii_alphanumeric());
    parts.any(|part| environments::is_other(&part.to_lowercase()))
}

/// Returns the example of the file `name`, which `dir` lacks: `.env.dev-sample` of `.env.dev`, and for `.env`
/// also `env.example` and `example.env`.
pub(crate) fn example_of(dir: &Dir<'_>, name: &str) -> Option<String> {
    let is_of = |file: &&str| {
        let rest = file.strip_prefix(name);
        let rest = rest.and_then(|rest| rest.strip_prefix(['.', '-', '_']));
        rest.is_some_and(|rest| EXAMPLES.contains(&rest))
    };
    let is_plain = |file: &&str| {
        let mut parts = file.split(['.', '-', '_']).filter(|part| !part.is_empty());
        name == ".env" && parts.all(|part| part == "env" || EXAMPLES.contains(&part))
    };
    let mut files = dir.files();
    let found = files
        .find(is_of)
        .or_else(|| dir.files().filter(|file| is_example(file)).find(is_plain));
    found.map(str::to_owned)
}

/// Returns the port to which a file in use, or else an example, sets a variable, and that file. A file in a
/// directory above applies too.
pub(crate) fn port(dir: &Dir<'_>, variable: &str) -> Option<(u16, String)> {
    // `PORT` of a directory above may be that of another service.
    let levels = if variable == "PORT" { 1 } else { usize::MAX };
    dir.upwards().take(levels).find_map(|at| {
        let in_use = in_use(&at).rev();
        let examples = at.files().filter(|name| is_example(name));
        let mut names = in_use.chain(examples);
        names.find_map(|name| {
            let value = at.dotenv(name)?.swap_remove(variable)?;
            let port = value.trim().parse().ok().filter(|port| *port > 0)?;
            Some((port, at.path_of(name)))
        })
    })
}

/// Reads the variables of the files in `dir`: examples first, then the files in use.
pub(super) fn variables(dir: &Dir<'_>) -> Vec<AppVariable> {
    let in_use: Vec<&str> = in_use(dir).collect();
    let of_example = match in_use.is_empty() {
        true => Origin::Example,
        false => Origin::Documented,
    };
    let mut variables = Vec::new();
    for name in dir.files().filter(|name| is_example(name)) {
        variables.extend(read(dir, name, of_example));
    }
    for name in in_use {
        variables.extend(read(dir, name, Origin::File));
    }
    variables
}

/// Reads one file. Values that refer to variables outside the file are left out: what they are depends
/// on the program that loads the file.
pub(super) fn read(dir: &Dir<'_>, file: &str, origin: Origin) -> Vec<AppVariable> {
    let text = dir.read(file).unwrap_or_default();
    let (assignments, _) = dotenv::assignments(&text, &|_| None);
    let mut known: IndexMap<String, String> = IndexMap::new();
    let complete = assignments.into_iter().filter(|one| one.is_complete);
    complete
        .map(|one| {
            let value = expanded(&one.value, &known).unwrap_or(one.value);
            known.insert(one.name.clone(), value.clone());
            variable(dir, file, one.line, (one.name, value), origin)
        })
        .collect()
}

/// Expands `$NAME` as dotenv-expand does, if `NAME` is set above and the result contains an address. Every
/// other `$` is part of the value, such as of a password.
fn expanded(value: &str, known: &IndexMap<String, String>) -> Option<String> {
    let mut parts = value.split('$');
    let mut whole = parts.next()?.to_owned();
    for part in parts {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = part.find(|c| !is_name(c)).unwrap_or(part.len());
        match known.get(&part[..end]) {
            Some(value) if !whole.ends_with('\\') => whole.push_str(value),
            _ => {
                whole.push('$');
                whole.push_str(&part[..end]);
            }
        }
        whole.push_str(&part[end..]);
    }
    (whole != value && has_address(&whole)).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_names_without_braces_in_addresses() {
        let known = [
            ("HOST", "http://localhost:4013"),
            ("PORT", "4015"),
            ("A", "b"),
        ];
        let known = known.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let known = IndexMap::from(known);
        for (value, expected) in [
            ("$HOST/api", Some("http://localhost:4013/api")),
            ("http://localhost:$PORT", Some("http://localhost:4015")),
            (
                "http://localhost:$PORT/$2b$10$A",
                Some("http://localhost:4015/$2b$10b"),
            ),
            ("$2b$10$A", None),
            ("$GONE/x", None),
            ("pass$A", None),
            ("\\$HOST", None),
            ("http://localhost:4015", None),
        ] {
            assert_eq!(expanded(value, &known).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn recognizes_files_and_their_examples() {
        for (name, in_use, example) in [
            (".env", true, false),
            (".env.development.local", true, false),
            (".env.production", false, false),
            (".env.test", false, false),
            (".env.example", false, true),
            (".env.local.example", false, true),
            ("env.sample", false, true),
            (".env-template", false, true),
            ("example.env", false, true),
            (".env.production.example", false, false),
            (".env.deploy.example", false, false),
            (".env.vps-sample", false, false),
            ("env.k8s.template", false, false),
            (".env.docker.example", false, true),
            (".env.backend.template", false, true),
            (".envrc", false, false),
            ("environment.example", false, false),
            ("default.conf", false, false),
        ] {
            assert_eq!(
                (is_in_use(name), is_example(name)),
                (in_use, example),
                "{name}"
            );
        }
    }
}
