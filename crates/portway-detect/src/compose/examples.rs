//! Finds the example of a `.env` file that a fresh clone lacks: beside it, or elsewhere in the checkout.

use serde_json::Value;

use super::resolve::place;
use super::{Dir, interpolate, value};
use crate::variables::{example_of, is_example, is_for_other_environment};

/// Maximum depth below the root, and maximum number of directories, in which examples are searched.
const MAX_DEPTH: usize = 4;
const MAX_DIRS: usize = 200;

/// Files of a directory that is a package of its own. Its example belongs to that package.
const PACKAGES: [&str; 9] = [
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "manage.py",
    "go.mod",
    "Cargo.toml",
    "Gemfile",
    "composer.json",
    "mix.exs",
];

/// Returns the path of a file, or of its example if it is missing, relative to `dir`. Files outside the
/// checkout exist as far as is known.
pub(super) fn existing(dir: &Dir<'_>, path: &str) -> Option<String> {
    let above = path.rsplit_once('/').map(|(above, _)| above);
    let beside = |example: String| match above {
        Some(above) => format!("{above}/{example}"),
        None => example,
    };
    let found = match place(dir, path) {
        Some((at, name)) if at.has(&name) => return Some(path.to_owned()),
        Some((at, name)) => example_of(&at, &name).map(beside),
        None if value::join(dir.path(), path).is_none() => return Some(path.to_owned()),
        None => None,
    };
    found.or_else(|| {
        let missing = value::join(dir.path(), path)?;
        let examples = elsewhere(dir, &missing);
        let best = examples.into_iter().min_by_key(|path| rank(&missing, path));
        best.map(|example| value::relative(dir.path(), &example))
    })
}

/// Returns the example beside a file that `dir` lacks.
pub(super) fn beside(dir: &Dir<'_>, name: &str) -> Option<String> {
    match dir.has(name) {
        true => None,
        false => example_of(dir, name),
    }
}

/// Returns the path of the example that stands in for `.env` in `dir`, relative to `dir`, if that is missing:
/// the one with most of the variables that the compose file, before interpolation, needs.
pub(super) fn of_variables(dir: &Dir<'_>, compose: &Value) -> Option<String> {
    if dir.has(".env") {
        return None;
    }
    let unset = interpolate::unset(compose, &indexmap::IndexMap::new());
    let count = |dir: &Dir<'_>, name: &str| {
        let Some(variables) = dir.dotenv(name).filter(|_| !unset.is_empty()) else {
            return 0;
        };
        let mut names: Vec<&str> = unset.iter().map(|one| one.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .filter(|name| variables.contains_key(*name))
            .count()
    };
    let usual = example_of(dir, ".env");
    let others = dir
        .files()
        .filter(|name| is_example(name))
        .map(str::to_owned);
    let others = others.filter(|name| count(dir, name) > 0);
    let here = usual.into_iter().chain(others);
    // Of equal ones, `max_by_key` returns the last.
    let here: Vec<String> = here.collect();
    // An example for another database of the project names no service of this file.
    let services = compose.get("services").and_then(Value::as_object);
    let hosts = |name: &str| {
        let variables = dir.dotenv(name).unwrap_or_default();
        let is_service = |value: &&String| services.is_some_and(|all| all.contains_key(*value));
        variables.values().filter(is_service).count()
    };
    let fit = |name: &String| (count(dir, name), hosts(name));
    if let Some(best) = here.iter().rev().max_by_key(|name| fit(name)) {
        return Some(best.clone());
    }
    if unset.is_empty() {
        return None;
    }
    let missing = dir.path_of(".env");
    let root = dir.upwards().last()?;
    let best = elsewhere(dir, &missing)
        .into_iter()
        .filter_map(|path| {
            let (at, name) = place(&root, &path)?;
            let count = count(&at, &name);
            (count > 0).then(|| (std::cmp::Reverse(count), rank(&missing, &path), path))
        })
        .min()?;
    Some(value::relative(dir.path(), &best.2))
}

/// Returns the paths of the example files of the checkout that do not belong to another package than the
/// missing file, nor to another environment than development. All paths are relative to the root.
fn elsewhere(dir: &Dir<'_>, missing: &str) -> Vec<String> {
    let Some(root) = dir.upwards().last() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut level = vec![root];
    let mut left = MAX_DIRS;
    for _ in 0..=MAX_DEPTH {
        let mut next = Vec::new();
        for at in level {
            if left == 0 {
                return found;
            }
            left -= 1;
            let is_above = missing.starts_with(&at.path_of(""));
            if is_above || at.first_of(&PACKAGES).is_none() {
                let examples = at.files().filter(|name| is_example(name));
                let paths = examples.map(|name| at.path_of(name));
                found.extend(paths.filter(|path| !is_for_other_environment(path)));
            }
            next.extend(at.subs());
        }
        level = next;
    }
    found
}

/// Orders examples: those whose path is for development, then those of the nearest directory.
fn rank(missing: &str, path: &str) -> (bool, usize, String) {
    let mut parts = path.split(|c: char| !c.is_ascii_alphanumeric());
    let is_local = parts.any(|part| ["dev", "development", "local"].contains(&part));
    let dir = missing.rsplit_once('/').map_or("", |(dir, _)| dir);
    let distance = value::relative(dir, path).split('/').count();
    (!is_local, distance, path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::records::Records;

    fn with_files<T>(files: &[(&str, &str)], check: impl FnOnce(&Dir<'_>) -> T) -> T {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let records = Records::default();
        check(&Dir::open(temp.path(), "", &records))
    }

    #[test]
    fn an_example_elsewhere_stands_in_unless_it_belongs_to_another_package() {
        let files = [
            ("src/app.py", ""),
            ("web/.env.example", "A=1"),
            ("web/package.json", "{}"),
            ("tools/production/.env.example", "A=1"),
            ("tools/bare/.env.example", "A=1"),
            ("tools/with-local/.env.example", "A=1"),
        ];
        with_files(&files, |dir| {
            let expected = Some("tools/with-local/.env.example");
            assert_eq!(existing(dir, "./src/.env").as_deref(), expected);
            // From a directory below.
            let below = dir.sub("src").unwrap();
            let expected = Some("../tools/with-local/.env.example");
            assert_eq!(existing(&below, ".env").as_deref(), expected);
            // A directory that does not exist either.
            assert!(existing(dir, "config/.env").is_some());
            assert_eq!(existing(dir, "/etc/env").as_deref(), Some("/etc/env"));
        });
        with_files(&files[..3], |dir| {
            assert_eq!(existing(dir, "src/.env"), None)
        });
        let beside = [("src/.env.example", ""), ("local/.env.example", "")];
        with_files(&beside, |dir| {
            let expected = Some("src/.env.example");
            assert_eq!(existing(dir, "src/.env").as_deref(), expected);
        });
    }

    #[test]
    fn variables_come_from_the_example_that_has_most_of_them() {
        let compose = serde_json::json!({"services": {"db": {
            "ports": ["${DB_PORT}:5432"], "environment": ["POSTGRES_PASSWORD=${DB_PASSWORD:?}"],
        }}});
        let files = [
            ("env-example-document", "DB_URL=mongodb://x\nDB_PORT=1\n"),
            ("env-example-relational", "DB_PORT=5432\nDB_PASSWORD=x\n"),
        ];
        with_files(&files, |dir| {
            let expected = Some("env-example-relational");
            assert_eq!(of_variables(dir, &compose).as_deref(), expected);
        });
        // Of two that have as many, the one whose hosts are services of the file.
        let files = [
            ("env-example-a", "DB_HOST=mongo\nDB_PORT=1\nDB_PASSWORD=x\n"),
            ("env-example-b", "DB_HOST=db\nDB_PORT=5432\nDB_PASSWORD=x\n"),
        ];
        with_files(&files, |dir| {
            assert_eq!(of_variables(dir, &compose).as_deref(), Some(files[1].0));
        });
        with_files(&[("deploy/.env.example", "DB_PASSWORD=x\n")], |dir| {
            let expected = Some("deploy/.env.example");
            assert_eq!(of_variables(dir, &compose).as_deref(), expected);
            assert_eq!(of_variables(dir, &serde_json::json!({})), None);
        });
        with_files(&[("deploy/.env.example", "OTHER=x\n")], |dir| {
            assert_eq!(of_variables(dir, &compose), None);
        });
        with_files(&[(".env", ""), ("env-example", "DB_PORT=1\n")], |dir| {
            assert_eq!(of_variables(dir, &compose), None);
        });
    }
}
