//! The packages that a Python project's files name.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::constraint;
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
}

/// One package, from the first file that names it.
#[derive(Debug)]
struct Requirement {
    file: String,
    /// The requirement in pip's syntax, as far as it can be expressed.
    requirement: String,
    group: Group,
}

/// Which part of the project a package belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Always installed.
    Main,
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
            let file = dir.path_of("Pipfile");
            for (name, group) in [
                ("packages", Group::Main),
                ("dev-packages", Group::Requirement("dev".into())),
            ] {
                packages.table(&file, table.get(name), &group);
            }
        }
        let any =
            packages.requirements.is_some() || packages.pyproject.is_some() || packages.pipfile;
        any.then_some(packages)
    }

    /// Returns the file that names a package.
    pub(super) fn file_of(&self, package: &str) -> Option<&str> {
        self.named.get(package).map(|named| named.file.as_str())
    }

    /// Returns whether one of these packages is named.
    pub(super) fn has(&self, package: &str) -> bool {
        self.named.contains_key(package)
    }

    /// Returns whether a package is named with one of these extras: `fastapi[standard]`.
    pub(super) fn has_extra(&self, package: &str, extras: &[&str]) -> bool {
        let named = self.named.get(package);
        let within = named.and_then(|named| {
            let (_, rest) = named.requirement.split_once('[')?;
            rest.split_once(']').map(|(within, _)| within)
        });
        within.is_some_and(|within| within.split(',').any(|one| extras.contains(&one.trim())))
    }

    /// Returns the part of the project that a package belongs to.
    pub(super) fn group_of(&self, package: &str) -> Group {
        let named = self.named.get(package);
        named.map_or(Group::Main, |named| named.group.clone())
    }

    /// Returns the requirements that pip installs without the project itself: those always
    /// installed, and those of `group`.
    pub(super) fn for_pip(&self, group: &Group) -> Vec<&str> {
        let named = self.named.values();
        named
            .filter(|named| named.group == Group::Main || named.group == *group)
            .map(|named| named.requirement.as_str())
            .collect()
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
                self.add(&dir.path_of(name), line, &Group::Main);
            }
        }
        self.requirements = names.into_iter().next();
    }

    fn pyproject_toml(&mut self, file: &str, table: Table) {
        let project = table.get("project");
        let tool = table.get("tool");
        let inside = |value: Option<&Value>, key: &str| value.and_then(|v| v.get(key)).cloned();
        self.list(file, inside(project, "dependencies").as_ref(), &Group::Main);
        let groups = [
            (
                inside(project, "optional-dependencies"),
                Group::Extra as fn(String) -> Group,
            ),
            (table.get("dependency-groups").cloned(), Group::Requirement),
        ];
        for (lists, group) in groups {
            for (name, list) in lists.iter().filter_map(Value::as_table).flatten() {
                self.list(file, Some(list), &group(name.clone()));
            }
        }
        let uv = inside(tool, "uv");
        let dev = inside(uv.as_ref(), "dev-dependencies");
        self.list(file, dev.as_ref(), &Group::Requirement("dev".into()));
        let poetry = inside(tool, "poetry");
        let main = inside(poetry.as_ref(), "dependencies");
        self.table(file, main.as_ref(), &Group::Main);
        let groups = inside(poetry.as_ref(), "group");
        for (name, group) in groups.iter().filter_map(Value::as_table).flatten() {
            self.table(
                file,
                group.get("dependencies"),
                &Group::Requirement(name.clone()),
            );
        }
        // A file that only configures linters names no packages.
        let tells = ["dependencies", "optional-dependencies"]
            .iter()
            .any(|key| inside(project, key).is_some())
            || table.contains_key("dependency-groups")
            || ["uv", "poetry", "pdm", "fastapi"]
                .iter()
                .any(|key| inside(tool, key).is_some());
        self.pyproject = tells.then_some(table);
    }

    /// Reads packages from a list of requirements.
    fn list(&mut self, file: &str, list: Option<&Value>, group: &Group) {
        let list = list.and_then(Value::as_array);
        for requirement in list.into_iter().flatten().filter_map(Value::as_str) {
            self.add(file, requirement.trim(), group);
        }
    }

    /// Reads packages from Poetry's and Pipenv's tables.
    fn table(&mut self, file: &str, table: Option<&Value>, group: &Group) {
        for (name, value) in table.and_then(Value::as_table).into_iter().flatten() {
            if name == "python" {
                continue;
            }
            let version = value
                .as_str()
                .or_else(|| value.get("version").and_then(Value::as_str));
            let version = version.and_then(constraint::to_pip);
            let extras = value.get("extras").and_then(Value::as_array);
            let extras: Vec<&str> = extras
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let extras = match extras.is_empty() {
                true => String::new(),
                false => format!("[{}]", extras.join(",")),
            };
            let requirement = format!("{name}{extras}{}", version.unwrap_or_default());
            self.add(file, &requirement, group);
        }
    }

    fn add(&mut self, file: &str, requirement: &str, group: &Group) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let end = requirement.find(|c| !is_part(c));
        let name = &requirement[..end.unwrap_or(requirement.len())];
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return;
        }
        let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
        self.named.entry(name).or_insert_with(|| Requirement {
            file: file.to_owned(),
            requirement: requirement.to_owned(),
            group: group.clone(),
        });
    }
}
