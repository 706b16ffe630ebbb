//! Variables that an example file names and the files in use beside it lack, as after a pull.

use std::collections::BTreeSet;
use std::path::Path;

use portway_project::dotenv;

use super::files;
use crate::Dir;

/// What the files in use of a directory lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingKeys {
    /// The file in use, relative to the root.
    pub file: String,
    /// The example file, relative to the root.
    pub example: String,
    /// The names of the variables, in the order of the example.
    pub names: Vec<String>,
}

/// Finds the variables that the files in use of services lack. `services` are their directories, relative to
/// `root`. A variable of a directory above counts.
pub fn missing_keys(root: &Path, services: &[&str]) -> Vec<MissingKeys> {
    let records = crate::records::Records::default();
    let root = Dir::open(root, "", &records);
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for dir in services.iter().filter_map(|path| root.below(path)) {
        for dir in dir.upwards() {
            if seen.insert(dir.path().to_owned()) {
                all.extend(of_dir(&dir));
            }
        }
    }
    all
}

fn of_dir(dir: &Dir<'_>) -> Option<MissingKeys> {
    let file = files::in_use(dir).next()?;
    let example = files::example_of(dir, file)?;
    let known: BTreeSet<String> = dir
        .upwards()
        .flat_map(|at| {
            let files: Vec<String> = files::in_use(&at).map(str::to_owned).collect();
            let names = files.iter().flat_map(|file| names(&at, file));
            names.collect::<Vec<_>>()
        })
        .collect();
    let mut missing: Vec<String> = names(dir, &example);
    missing.retain(|name| !known.contains(name));
    (!missing.is_empty()).then(|| MissingKeys {
        file: dir.path_of(file),
        example: dir.path_of(&example),
        names: missing,
    })
}

/// Returns the names of the variables that a file sets.
fn names(dir: &Dir<'_>, file: &str) -> Vec<String> {
    let text = dir.read(file).unwrap_or_default();
    let (assignments, _) = dotenv::assignments(&text, &|_| None);
    assignments.into_iter().map(|one| one.name).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_what_an_example_has_and_the_file_in_use_lacks() {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in [
            (".env", "SHARED=1\n"),
            ("api/.env", "A=1\n"),
            ("api/.env.local", "B=1\n"),
            (
                "api/.env.example",
                "A=\nB=\nSHARED=\nNEW=x\n# OLD=1\nSECRET=\n",
            ),
            ("web/.env.example", "ONLY=1\n"),
            ("done/.env", "A=1\n"),
            ("done/.env.example", "A=2\n"),
        ] {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = missing_keys(temp.path(), &["api", "api", "web", "done", "gone"]);
        let expected = MissingKeys {
            file: "api/.env".to_owned(),
            example: "api/.env.example".to_owned(),
            names: vec!["NEW".to_owned(), "SECRET".to_owned()],
        };
        assert_eq!(found, [expected]);
    }
}
