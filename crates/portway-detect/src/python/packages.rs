//! The packages that a Python project's files name.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::sources::{Indexes, Install, Wanted, joined, of_table};
use crate::Dir;

/// The packages that the files of one directory name.
#[derive(Debug, Default)]
pub(super) struct Packages {
    /// By normalized name: lower case with hyphens.
    named: BTreeMap<String, Requirement>,
    /// The requirements file to install.
    pub(super) requirements: Option<String>,
    /// `pyproject.toml`, if it names packages or a package manager.
    pub(super) pyproject: Option<Table>,
    /// Whether a Pipfile exists.
    pub(super) pipfile: bool,
    /// `setup.py` or `setup.cfg`, if it names packages.
    pub(super) setup: Option<&'static str>,
    /// The file of a conda environment, if no other file names packages.
    pub(super) conda: Option<&'static str>,
    /// Package indexes other than PyPI.
    pub(super) indexes: Indexes,
    /// `tool.uv.sources`, by normalized name.
    sources: BTreeMap<String, Value>,
}

/// One package, from the first file that names it.
#[derive(Debug)]
pub(super) struct Requirement {
    file: String,
    group: Group,
    /// How pip installs it; several if its constraints depend on the machine.
    pub(super) installs: Vec<Install>,
    extras: Vec<String>,
    /// Whether only uv knows where it comes from, and the metadata of the project does not.
    pub(super) has_source: bool,
}

/// Which part of the project a package belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Always installed.
    Main,
    /// A dependency group that is installed unless somebody says otherwise, such as `dev`.
    Default,
    /// Installed with an extra (`project.optional-dependencies`).
    Extra(String),
    /// Installed with a dependency group.
    Requirement(String),
}

/// Requirements files in order of preference.
const REQUIREMENTS: [&str; 7] = [
    "requirements.txt",
    "requirements/dev.txt",
    "requirements/development.txt",
    "requirements/local.txt",
    "requirements/base.txt",
    "requirements-dev.txt",
    "requirements.in",
];

impl Packages {
    /// Reads the package files in `dir`; `None` if there are none.
    pub(super) fn read(dir: &Dir<'_>) -> Option<Self> {
        let mut packages = Self::default();
        packages.requirements_files(dir);
        if let Some(table) = dir.toml("pyproject.toml") {
            packages.pyproject_toml(&dir.path_of("pyproject.toml"), table);
        }
        if let Some(table) = dir.toml("Pipfile") {
            packages.pipfile = true;
            packages.indexes.add_first(table.get("source"));
            let file = dir.path_of("Pipfile");
            for (name, group) in [("packages", Group::Main), ("dev-packages", Group::Default)] {
                packages.table(&file, table.get(name), &|_| group.clone());
            }
        }
        packages.setup_files(dir);
        let any =
            packages.requirements.is_some() || packages.pyproject.is_some() || packages.pipfile;
        if any || packages.setup.is_some() {
            return Some(packages);
        }
        packages.conda_file(dir)?;
        Some(packages)
    }

    /// Returns the file that names a package.
    pub(super) fn file_of(&self, package: &str) -> Option<&str> {
        self.named.get(package).map(|named| named.file.as_str())
    }

    /// Returns whether the requirements file is enough to install a package: unless only another file names it.
    pub(super) fn requires(&self, package: &str) -> bool {
        self.requirements.is_some() && self.file_of(package).is_none_or(is_list)
    }

    /// Returns whether one of these packages is named.
    pub(super) fn has(&self, package: &str) -> bool {
        self.named.contains_key(package)
    }

    /// Returns whether a package is named with one of these extras: `fastapi[standard]`.
    pub(super) fn has_extra(&self, package: &str, extras: &[&str]) -> bool {
        let named = self.named.get(package);
        named.is_some_and(|named| {
            named
                .extras
                .iter()
                .any(|one| extras.contains(&one.as_str()))
        })
    }

    /// Returns the part of the project that a package belongs to.
    pub(super) fn group_of(&self, package: &str) -> Group {
        let named = self.named.get(package);
        named.map_or(Group::Main, |named| named.group.clone())
    }

    /// Returns the packages that are installed: those always installed, and those of `group`.
    pub(super) fn selected(&self, group: &Group) -> impl Iterator<Item = (&str, &Requirement)> {
        let named = self.named.iter();
        let is_selected = move |named: &Requirement| {
            let is_listed = is_list(&named.file);
            let is_usual = [Group::Main, Group::Default].contains(&named.group);
            // pip reads requirements files itself.
            !is_listed && (is_usual || named.group == *group)
        };
        named
            .filter(move |(_, named)| is_selected(named))
            .map(|(name, named)| (name.as_str(), named))
    }

    fn requirements_files(&mut self, dir: &Dir<'_>) {
        let own = dir.files().map(str::to_owned);
        let sub = dir.sub("requirements");
        let below = sub.iter().flat_map(|sub| sub.files());
        let mut names: Vec<String> = own
            .filter(|name| name.starts_with("requirements"))
            .chain(below.map(|name| format!("requirements/{name}")))
            .filter(|name| name.ends_with(".txt") || name.ends_with(".in"))
            .collect();
        let rank = |name: &String| REQUIREMENTS.iter().position(|known| known == name);
        names.sort_by_key(|name| rank(name).unwrap_or(usize::MAX));
        for name in &names {
            let text = match name.strip_prefix("requirements/") {
                Some(below) => sub.as_ref().and_then(|sub| sub.read(below)),
                None => dir.read(name),
            };
            for line in text.unwrap_or_default().lines() {
                let line = line.split(" #").next().unwrap_or("").trim();
                self.requirement(&dir.path_of(name), line, &Group::Main);
            }
        }
        self.requirements = names.into_iter().next();
    }

    fn pyproject_toml(&mut self, file: &str, table: Table) {
        let inside = |keys: &[&str]| {
            let first = table.get(keys[0]);
            let rest = &keys[1..];
            rest.iter().fold(first, |value, key| value?.get(key))
        };
        for keys in [
            &["tool", "uv", "index"][..],
            &["tool", "poetry", "source"],
            &["tool", "pdm", "source"],
        ] {
            self.indexes.add(inside(keys));
        }
        if let Some(url) = inside(&["tool", "uv", "index-url"]).and_then(Value::as_str) {
            let index = Table::from_iter([("url".to_owned(), Value::from(url))]);
            self.indexes.add(Some(&Value::Array(vec![index.into()])));
        }
        let sources = inside(&["tool", "uv", "sources"]).and_then(Value::as_table);
        for (name, source) in sources.into_iter().flatten() {
            self.sources.insert(normalized(name), source.clone());
        }
        let poetry = |key: &str| inside(&["tool", "poetry", key]);
        let extras = poetry("extras").and_then(Value::as_table);
        let extra_of = |name: &str| {
            let mut extras = extras.into_iter().flatten();
            let has = |all: &Value| {
                let all = all.as_array().into_iter().flatten();
                let mut all = all.filter_map(Value::as_str);
                all.any(|one| normalized(one) == name)
            };
            let extra = extras.find(|(_, all)| has(all)).map(|(extra, _)| extra);
            Group::Extra(extra.cloned().unwrap_or_default())
        };
        self.list(file, inside(&["project", "dependencies"]), &Group::Main);
        self.table(file, poetry("dependencies"), &|entry| {
            let (name, value) = entry;
            match value.get("optional").and_then(Value::as_bool) {
                Some(true) => extra_of(&normalized(name)),
                _ => Group::Main,
            }
        });
        self.groups(file, &table);
        let optional = inside(&["project", "optional-dependencies"]);
        for (name, list) in optional.and_then(Value::as_table).into_iter().flatten() {
            self.list(file, Some(list), &Group::Extra(name.clone()));
        }
        // A file that only configures linters names no packages.
        let tells = ["dependencies", "optional-dependencies"]
            .iter()
            .any(|key| inside(&["project", key]).is_some())
            || table.contains_key("dependency-groups")
            || ["uv", "poetry", "pdm", "fastapi", "hatch", "rye"]
                .iter()
                .any(|key| inside(&["tool", key]).is_some());
        self.pyproject = tells.then_some(table);
    }

    /// Reads packages from a list of requirements.
    pub(super) fn list(&mut self, file: &str, list: Option<&Value>, group: &Group) {
        let list = list.and_then(Value::as_array);
        for requirement in list.into_iter().flatten().filter_map(Value::as_str) {
            self.requirement(file, requirement.trim(), group);
        }
    }

    /// Reads packages from Poetry's and Pipenv's tables.
    pub(super) fn table(
        &mut self,
        file: &str,
        table: Option<&Value>,
        group: &dyn Fn((&str, &Value)) -> Group,
    ) {
        for (name, value) in table.and_then(Value::as_table).into_iter().flatten() {
            if name == "python" || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                continue;
            }
            let entries = match value {
                Value::Array(all) => all.iter().collect(),
                one => vec![one],
            };
            let installs = entries.iter().map(|one| of_table(name, one, &self.indexes));
            let extras = |one: &&Value| one.get("extras").and_then(Value::as_array).cloned();
            let extras = entries.iter().filter_map(extras).flatten();
            let requirement = Requirement {
                file: file.to_owned(),
                group: group((name, value)),
                installs: installs.collect(),
                extras: extras
                    .filter_map(|one| Some(one.as_str()?.to_owned()))
                    .collect(),
                has_source: false,
            };
            // Poetry adds to a package of `project.dependencies` where it comes from.
            let has_table = value.is_table() || value.is_array();
            match self.named.get_mut(&normalized(name)) {
                Some(known) if has_table && known.file == file => {
                    known.installs = requirement.installs;
                }
                Some(_) => {}
                None => {
                    self.named.insert(normalized(name), requirement);
                }
            }
        }
    }

    /// Reads a requirement in the syntax of pip.
    pub(super) fn requirement(&mut self, file: &str, text: &str, group: &Group) {
        let (text, is_editable) = match text.strip_prefix("-e ") {
            // PDM names an editable package in its address.
            Some(rest) if rest.contains("#egg=") => (rest.trim(), true),
            Some(_) => return,
            None => (text, false),
        };
        let egg = text.rsplit_once("#egg=").filter(|_| is_editable);
        let text = match egg {
            Some((address, name)) => format!("{name} @ {address}"),
            None => text.to_owned(),
        };
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return;
        }
        let key = normalized(name);
        let rest = rest.trim_start();
        let (extras, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((extras, rest)) => (format!("[{extras}]"), rest.trim_start()),
            None => (String::new(), rest),
        };
        let marker = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let names = extras.trim_matches(['[', ']']).split(',');
        let mut named = Requirement {
            file: file.to_owned(),
            group: group.clone(),
            installs: Vec::new(),
            extras: names.map(|one| one.trim().to_owned()).collect(),
            has_source: false,
        };
        let mut wanted = Wanted {
            name,
            extras,
            version: String::new(),
            marker: None,
        };
        if let Some(address) = rest.strip_prefix('@') {
            let (address, condition) = match address.split_once(" ;") {
                Some((address, condition)) => (address.trim(), condition),
                None => (address.trim(), ""),
            };
            wanted.marker = marker(condition);
            named.installs = vec![match in_project(address) {
                Some(path) => wanted.by_path(&path),
                None => wanted.by_address(address),
            }];
        } else {
            let (version, condition) = rest.split_once(';').unwrap_or((rest, ""));
            wanted.version = version.trim().to_owned();
            let own = marker(condition);
            let source = self.sources.get(&key);
            named.has_source = source.is_some();
            let sources = match source {
                Some(Value::Array(all)) => all.iter().collect(),
                Some(one) => vec![one],
                None => Vec::new(),
            };
            for source in sources.iter().filter_map(|one| one.as_table()) {
                let condition = source.get("marker").and_then(Value::as_str);
                let all = own.iter().cloned().chain(condition.map(str::to_owned));
                wanted.marker = joined(all.collect());
                named.installs.push(wanted.install(source, &self.indexes));
            }
            if named.installs.is_empty() {
                // As it is written.
                named.installs = vec![Install::Requirement(text)];
            }
        }
        self.named.entry(key).or_insert(named);
    }
}

/// The name under which indexes know a package.
fn normalized(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Returns whether this is a requirements file.
fn is_list(file: &str) -> bool {
    file.ends_with(".txt") || file.ends_with(".in")
}

/// Returns the normalized name of a project.
pub(super) fn project_name(table: &Table) -> Option<String> {
    let poetry = || table.get("tool")?.get("poetry")?.get("name");
    let project = table.get("project").and_then(|project| project.get("name"));
    project.or_else(poetry)?.as_str().map(normalized)
}

/// Returns the path of an address in the project, as PDM and Hatch spell it.
fn in_project(address: &str) -> Option<String> {
    for (start, dir) in [
        ("file:///${PROJECT_ROOT}", "."),
        ("{root:uri}", "."),
        ("{root:parent:uri}", ".."),
        ("{root:parent:parent:uri}", "../.."),
    ] {
        if let Some(rest) = address.strip_prefix(start) {
            return Some(format!("{dir}{rest}"));
        }
    }
    None
}
