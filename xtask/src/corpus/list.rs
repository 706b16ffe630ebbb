//! The list of repositories with the expectations, `xtask/corpus.toml`.

use serde::Deserialize;

/// The list of repositories.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) repository: Vec<Repository>,
}

/// A repository, or one directory of a collection of examples.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repository {
    /// `OWNER/NAME` on GitHub.
    pub(super) name: String,
    /// The commit, 40 hexadecimal digits.
    pub(super) commit: String,
    pub(super) set: Set,
    /// The directory that is the project; empty for the whole repository.
    #[serde(default)]
    pub(super) subdir: String,
    /// What a person who knows the repository expects; empty for a library.
    pub(super) services: Vec<Expected>,
}

/// The half of the list that a repository belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Set {
    /// Portway may be changed because of it.
    Learn,
    /// It is only measured.
    Measure,
}

/// A service that a person expects.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// How the list names it.
    pub(super) name: String,
    /// Its directory; several that are equally right; empty if it does not matter.
    #[serde(default)]
    pub(super) dir: Vec<String>,
    /// Words of the command, framework, or kind, of which one must be there.
    pub(super) runs: Vec<String>,
    /// The usual port; missing if the service has none.
    pub(super) port: Option<u16>,
    /// The services that start before it, by the names of the list.
    #[serde(default)]
    pub(super) after: Vec<String>,
    #[serde(default)]
    pub(super) need: Need,
}

/// Whether Portway must plan a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Need {
    /// It is planned and started by a bare `up`.
    #[default]
    Required,
    /// It is planned, and may be optional.
    Present,
    /// If it is planned, it is optional.
    Optional,
    /// It may be planned or not.
    Allowed,
}

impl Repository {
    /// The name, with the directory of a collection: `docker/awesome-compose/fastapi`.
    pub(super) fn title(&self) -> String {
        if self.subdir.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.name, self.subdir)
        }
    }
}

/// Read the list. Returns an error that names a repository whose entry is wrong.
pub(super) fn parse(text: &str) -> Result<List, String> {
    let list: List = toml::from_str(text).map_err(|error| error.to_string())?;
    for repository in &list.repository {
        check(repository).map_err(|problem| format!("`{}`: {problem}", repository.title()))?;
    }
    Ok(list)
}

fn check(repository: &Repository) -> Result<(), String> {
    let is_hexadecimal = repository.commit.bytes().all(|b| b.is_ascii_hexdigit());
    if repository.commit.len() != 40 || !is_hexadecimal {
        return Err(format!("`{}` is not a commit", repository.commit));
    }
    if repository.name.split('/').count() != 2 {
        return Err("the name is not OWNER/NAME".to_owned());
    }
    let names: Vec<_> = repository
        .services
        .iter()
        .map(|s| s.name.as_str())
        .collect();
    for (index, service) in repository.services.iter().enumerate() {
        if names[..index].contains(&service.name.as_str()) {
            return Err(format!("two services are named `{}`", service.name));
        }
        if service.runs.is_empty() {
            return Err(format!("`{}` has no `runs`", service.name));
        }
        for before in &service.after {
            if !names.contains(&before.as_str()) {
                return Err(format!("`{}` is after an unknown `{before}`", service.name));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"
        [[repository]]
        name = "owner/shop"
        commit = "0123456789012345678901234567890123456789"
        set = "learn"
        services = [
          { name = "api", dir = ["api"], runs = ["uvicorn"], port = 8000, after = ["db"] },
          { name = "db", runs = ["postgres"], port = 5432, need = "present" },
        ]
    "#;

    #[test]
    fn reads_an_entry() {
        let list = parse(ENTRY).unwrap_or_else(|error| panic!("{error}"));
        let services = &list.repository[0].services;
        assert_eq!(services[0].need, Need::Required);
        assert_eq!(services[1].need, Need::Present);
        assert_eq!(list.repository[0].title(), "owner/shop");
    }

    #[test]
    fn rejects_wrong_entries() {
        for (from, to, problem) in [
            ("0123456789", "main", "not a commit"),
            ("after = [\"db\"]", "after = [\"cache\"]", "unknown `cache`"),
            ("\"api\", dir", "\"db\", dir", "two services are named `db`"),
            ("owner/shop", "shop", "OWNER/NAME"),
            ("[\"uvicorn\"]", "[]", "no `runs`"),
        ] {
            let error = parse(&ENTRY.replace(from, to)).map(|_| ()).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn accepts_the_committed_list() {
        let list = parse(include_str!("../../corpus.toml")).unwrap_or_else(|e| panic!("{e}"));
        let mut titles: Vec<_> = list.repository.iter().map(Repository::title).collect();
        titles.sort();
        titles.dedup();
        assert_eq!(
            titles.len(),
            list.repository.len(),
            "an entry is there twice"
        );
        for set in [Set::Learn, Set::Measure] {
            let size = list.repository.iter().filter(|r| r.set == set).count();
            assert!(size >= 20, "{set:?} has {size} entries");
        }
    }
}
