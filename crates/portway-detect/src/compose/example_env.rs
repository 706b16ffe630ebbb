//! Examples of `.env` files, for compose files that name a file which a fresh clone lacks.

use std::path::Path;

use indexmap::IndexMap;

use super::resolve::place;
use super::{Dir, File};
use crate::variables::example_of;

/// What stands in for the `.env` files that a compose project lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExampleEnv {
    /// The paths of the compose files, relative to their directory.
    pub names: Vec<String>,
    /// The example of the file from which Compose takes `${NAME}`, if that is missing.
    pub variables: Option<String>,
    /// The `env_file` entries of services that name a missing file, with its example in its place. A file
    /// without an example is left out, unless the service needs it that is to start.
    pub services: IndexMap<String, Vec<String>>,
}

/// Returns what stands in for the files that are missing in the project in `dir`, so that its service
/// `name` can start. `names` are its compose files; those that Compose finds itself if there are none.
/// `None` if no file is missing.
pub fn example_env(dir: &Path, names: &[String], name: &str) -> Option<ExampleEnv> {
    let records = crate::records::Records::default();
    let root = Dir::open(dir, "", &records);
    let file = match names {
        [] => File::of_root(&root)?,
        names => File::of_names(&root, names)?,
    };
    let mut found = ExampleEnv {
        variables: example_if_missing(&root, ".env"),
        ..ExampleEnv::default()
    };
    for (service, compose) in &file.compose.services {
        let files = &compose.env_files;
        // Compose names a file that the service lacks.
        let kept = |path: &String| (service == name).then(|| path.clone());
        let existing: Vec<String> = files
            .iter()
            .filter_map(|path| existing(&file.dir, path).or_else(|| kept(path)))
            .collect();
        if existing != *files {
            found.services.insert(service.clone(), existing);
        }
    }
    found.names = file.names;
    (found.variables.is_some() || !found.services.is_empty()).then_some(found)
}

/// Returns the path of a file, or of its example if it is missing. Files outside the checkout exist as far
/// as is known.
pub(super) fn existing(dir: &Dir<'_>, path: &str) -> Option<String> {
    let Some((at, name)) = place(dir, path) else {
        let is_outside = path.starts_with('/') || path.split('/').any(|part| part == "..");
        return is_outside.then(|| path.to_owned());
    };
    if at.has(&name) {
        return Some(path.to_owned());
    }
    let example = example_of(&at, &name)?;
    Some(match path.rsplit_once('/') {
        Some((above, _)) => format!("{above}/{example}"),
        None => example,
    })
}

/// Returns the example of a file that `dir` does not have.
pub(super) fn example_if_missing(dir: &Dir<'_>, name: &str) -> Option<String> {
    match dir.has(name) {
        true => None,
        false => example_of(dir, name),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(files: &[(&str, &str)], name: &str) -> Option<ExampleEnv> {
        let temp = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        example_env(temp.path(), &[], name)
    }

    const COMPOSE: (&str, &str) = (
        "compose.yaml",
        "services:\n  db: {image: postgres, env_file: [config/.env.dev, shared.env]}\n  \
         web: {build: ., env_file: .env}\n  mail: {image: mailpit}\n",
    );
    const SHARED: (&str, &str) = ("shared.env", "A=1");
    const EXAMPLE: (&str, &str) = ("config/.env.dev-sample", "B=1");

    #[test]
    fn examples_stand_in_for_missing_files() {
        let all = found(&[COMPOSE, SHARED, EXAMPLE, (".env.example", "")], "db").unwrap();
        assert_eq!(all.names, ["compose.yaml"]);
        assert_eq!(all.variables.as_deref(), Some(".env.example"));
        let services: Vec<_> = all.services.into_iter().collect();
        assert_eq!(
            services,
            [
                (
                    "db".to_owned(),
                    vec!["config/.env.dev-sample".to_owned(), "shared.env".to_owned()]
                ),
                ("web".to_owned(), vec![".env.example".to_owned()]),
            ]
        );
        // Another service does not need its file.
        let mail = found(&[COMPOSE, SHARED, EXAMPLE], "mail").unwrap();
        assert_eq!(mail.services["web"], Vec::<String>::new());
    }

    #[test]
    fn a_file_without_an_example_stays_missing() {
        let all = found(&[COMPOSE, SHARED], "db").unwrap();
        assert_eq!(all.services.keys().collect::<Vec<_>>(), ["web"]);
        let complete = [COMPOSE, SHARED, ("config/.env.dev", ""), (".env", "")];
        assert_eq!(found(&complete, "db"), None);
    }
}
