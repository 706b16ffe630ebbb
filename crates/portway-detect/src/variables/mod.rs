//! The variables that the application of a service uses: from its `.env` files, from their examples, and
//! from defaults in its code.
//!
//! Input: the root of a checkout and the directories of its services. Output: the variables of each
//! service with their places, for [`portway_project::mapping`].

mod code;
mod files;
mod keys;
mod named;
mod settings;

use std::collections::BTreeSet;
use std::path::Path;

use indexmap::IndexMap;
use portway_project::mapping::{AppVariable, Origin, Place};

use super::{Dir, Skipped};

pub(crate) use code::{default_port, defaults_in, destructured};
pub use files::{IN_USE, is_example, is_in_use};
pub(crate) use files::{example_of, is_for_other_environment, port};
pub use keys::{MissingKeys, missing_keys};
pub use named::NamedFiles;

/// Finds the variables of services. `services` are their names and directories, relative to `root`.
///
/// A file in a directory above a service's applies to the service as well; a closer one overrides it.
pub fn find(root: &Path, services: &[(&str, &str)]) -> IndexMap<String, Vec<AppVariable>> {
    // `unreadable` returns the files that cannot be read.
    let records = crate::records::Records::default();
    let root = Dir::open(root, "", &records);
    let mut read: IndexMap<String, Vec<AppVariable>> = IndexMap::new();
    let mut scanned: IndexMap<&str, Vec<AppVariable>> = IndexMap::new();
    let mut found = IndexMap::new();
    for (name, path) in services {
        let Some(dir) = root.below(path) else {
            continue;
        };
        let others: Vec<&str> = services.iter().map(|(_, other)| *other).collect();
        let defaults = scanned.entry(path).or_insert_with(|| {
            let mut all = settings::variables(&dir);
            all.extend(code::defaults(&dir, &others));
            all
        });
        let mut variables = defaults.clone();
        let mut above: Vec<Dir<'_>> = dir.upwards().collect();
        above.reverse();
        for dir in &above {
            let of_dir = read
                .entry(dir.path().to_owned())
                .or_insert_with(|| files::variables(dir));
            variables.extend(of_dir.iter().cloned());
        }
        found.insert((*name).to_owned(), variables);
    }
    found
}

/// Finds the variables that the code of a service in `dir` reads without a default, with empty values. `others`
/// are the directories of other services; all are relative to `root`.
pub fn required(root: &Path, dir: &str, others: &[&str]) -> Vec<AppVariable> {
    let records = crate::records::Records::default();
    let root = Dir::open(root, "", &records);
    let dir = root.below(dir);
    dir.map(|dir| code::required(&dir, others))
        .unwrap_or_default()
}

/// Finds the variables of the files that the command of a service names, itself or in a script that it runs.
/// `dir` is the directory of the service, relative to `root`.
pub fn of_command(root: &Path, dir: &str, command: &str) -> NamedFiles {
    let records = crate::records::Records::default();
    let root = Dir::open(root, "", &records);
    let dir = root.below(dir);
    dir.map(|dir| named::read(&dir, command))
        .unwrap_or_default()
}

/// Returns the `.env` files in use of services that cannot be read. `services` are their directories,
/// relative to `root`.
pub fn unreadable(root: &Path, services: &[&str]) -> Vec<Skipped> {
    let records = crate::records::Records::default();
    let root = Dir::open(root, "", &records);
    let mut read = BTreeSet::new();
    for dir in services.iter().filter_map(|path| root.below(path)) {
        for dir in dir.upwards() {
            if read.insert(dir.path().to_owned()) {
                files::in_use(&dir).for_each(|file| drop(dir.read(file)));
            }
        }
    }
    records.take_skipped()
}

/// Creates a variable that a file of `dir` names.
fn variable(
    dir: &Dir<'_>,
    file: &str,
    line: usize,
    (name, value): (String, String),
    origin: Origin,
) -> AppVariable {
    let place = Place {
        file: dir.path_of(file),
        line,
    };
    AppVariable {
        name,
        value,
        place,
        origin,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_files_in_use_that_cannot_be_read() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        fs::create_dir_all(path("api")).unwrap();
        fs::create_dir(path(".env")).unwrap();
        fs::write(path("api/.env"), "A=1\nnonsense\n").unwrap();
        fs::write(path("api/.env.local"), [b'A', b'=', 0xff]).unwrap();
        fs::write(path("api/.env.example"), [0xff]).unwrap();
        let found = unreadable(temp.path(), &["api", "", "gone"]);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|one| (one.file.as_str(), one.why.as_str()))
            .collect();
        assert_eq!(found, [("api/.env.local", "is not UTF-8")]);
    }

    #[test]
    fn a_mode_overrides_local_values_for_vite_only() {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("vite/vite.config.ts", ""),
            ("vite/.env.local", "A=local"),
            ("vite/.env.development", "A=mode"),
            ("next/.env.local", "A=local"),
            ("next/.env.development", "A=mode"),
        ] {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = find(temp.path(), &[("vite", "vite"), ("next", "next")]);
        let last = |service: &str| found[service].last().unwrap().value.as_str();
        assert_eq!((last("vite"), last("next")), ("mode", "local"));
    }

    #[test]
    fn closer_files_override_and_examples_rank_by_their_directory() {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in [
            (".env", "A=root\nB=root\n"),
            (".env.example", "C=documented\n"),
            ("api/.env.local", "A=local\n"),
            ("api/.env", "A=api\n"),
            ("api/src/settings.py", "X = os.getenv(\"CODE\", \"code\")\n"),
            ("web/.env.sample", "E=example\n"),
            ("web/node_modules/x/index.js", "process.env.F || \"far\"\n"),
        ] {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = find(
            temp.path(),
            &[("api", "api"), ("web", "web"), ("gone", "x/y")],
        );
        let summary = |service: &str| -> Vec<String> {
            let all = found[service].iter();
            all.map(|one| {
                let Place { file, line } = &one.place;
                format!("{:?} {}={} {file}:{line}", one.origin, one.name, one.value)
            })
            .collect()
        };
        assert_eq!(
            summary("api"),
            [
                "Code CODE=code api/src/settings.py:1",
                "Documented C=documented .env.example:1",
                "File A=root .env:1",
                "File B=root .env:2",
                "File A=api api/.env:1",
                "File A=local api/.env.local:1",
            ]
        );
        assert_eq!(summary("web")[3..], ["Example E=example web/.env.sample:1"]);
        assert!(!found.contains_key("gone"));
    }
}
