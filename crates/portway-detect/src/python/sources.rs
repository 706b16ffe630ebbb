//! Where a package comes from: an index, a directory, a repository or an address.
//!
//! Input: what Poetry, uv, Pipenv, PDM and Hatch say about a package. Output: how pip installs exactly that
//! package. A name alone would make pip install whatever package has that name on PyPI, so a source that
//! pip cannot be told is refused.

use toml::{Table, Value};

use super::constraint;

/// How pip installs a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Install {
    /// By a requirement in its syntax: from the index, or with an address.
    Requirement(String),
    /// From a directory or archive.
    Path {
        /// Its path relative to the directory of the file that names it.
        path: String,
        /// `[a,b]`, or empty.
        extras: String,
        /// The environment marker.
        marker: Option<String>,
    },
    /// From a member of the workspace, with its extras.
    Member(String),
    /// Not at all; the reason as the predicate of a sentence whose subject is the package.
    Not(String),
}

/// The package that is installed.
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    /// `[a,b]`, or empty.
    pub(super) extras: String,
    /// A version specifier of pip, or empty.
    pub(super) version: String,
    pub(super) marker: Option<String>,
}

/// Package indexes of a project other than PyPI.
#[derive(Debug, Default)]
pub(super) struct Indexes {
    /// Names of PyPI.
    public: Vec<String>,
    /// The address of an index that all packages come from.
    pub(super) primary: Option<String>,
}

impl Indexes {
    /// Reads the tables of indexes of Poetry, uv, PDM and Pipenv. In a Pipfile, the first is for all packages.
    pub(super) fn add(&mut self, list: Option<&Value>) {
        for one in list.and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or("");
            let is_set = |key: &str| one.get(key).and_then(Value::as_bool) == Some(true);
            let url = text("url");
            let priority = text("priority");
            if is_public(url) || (url.is_empty() && text("name").eq_ignore_ascii_case("pypi")) {
                self.public.push(text("name").to_owned());
            } else if !url.is_empty()
                && !is_set("explicit")
                && !is_set("secondary")
                && !["explicit", "supplemental", "secondary"].contains(&priority)
            {
                self.primary.get_or_insert_with(|| url.to_owned());
            }
        }
    }

    /// Pipenv takes all packages from the first source, and others only by name.
    pub(super) fn add_first(&mut self, list: Option<&Value>) {
        let first = list.and_then(Value::as_array).and_then(|all| all.first());
        self.add(first.map(|one| Value::Array(vec![one.clone()])).as_ref());
        let all = list.and_then(Value::as_array).into_iter().flatten();
        for one in all.skip(1) {
            if one
                .get("url")
                .and_then(Value::as_str)
                .is_some_and(is_public)
            {
                let name = one.get("name").and_then(Value::as_str);
                self.public.extend(name.map(str::to_owned));
            }
        }
    }

    fn is_public(&self, name: &str) -> bool {
        name.eq_ignore_ascii_case("pypi") || self.public.iter().any(|known| known == name)
    }
}

fn is_public(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or("");
    ["pypi.org", "pypi.python.org"].contains(&host)
}

impl Wanted<'_> {
    /// Returns how it is installed from the source that a table describes.
    pub(super) fn install(&self, source: &Table, indexes: &Indexes) -> Install {
        let text = |key: &str| source.get(key).and_then(Value::as_str);
        if let Some(git) = text("git") {
            return self.by_git(git, source);
        }
        if let Some(other) = ["hg", "svn", "bzr"]
            .into_iter()
            .find(|key| text(key).is_some())
        {
            return Install::Not(format!("comes from a repository of `{other}`"));
        }
        let place = text("url")
            .or_else(|| text("path"))
            .or_else(|| text("file"));
        if let Some(place) = place {
            return match place.contains("://") {
                true => self.by_address(place),
                false => self.by_path(place),
            };
        }
        if source.get("workspace").and_then(Value::as_bool) == Some(true) {
            return Install::Member(self.extras.clone());
        }
        match text("index").or_else(|| text("source")) {
            Some(index) if !indexes.is_public(index) => {
                Install::Not(format!("comes from the index `{index}`"))
            }
            _ => self.by_index(),
        }
    }

    /// Returns the requirement that an index fulfills.
    pub(super) fn by_index(&self) -> Install {
        Install::Requirement(self.marked(&format!("{}{}{}", self.name, self.extras, self.version)))
    }

    pub(super) fn by_path(&self, path: &str) -> Install {
        let is_plain = !path.is_empty() && !path.chars().any(char::is_control);
        if !is_plain || path.contains(['$', '{', ';']) {
            return Install::Not("comes from a path that pip cannot read".into());
        }
        Install::Path {
            path: path.replace('\\', "/"),
            extras: self.extras.clone(),
            marker: self.marker.clone(),
        }
    }

    pub(super) fn by_address(&self, address: &str) -> Install {
        // pip expands variables only in files, and an address ends at a space.
        if address.contains(|c: char| c.is_whitespace() || c.is_control() || "${};".contains(c)) {
            return Install::Not("comes from an address that pip cannot read".into());
        }
        let requirement = format!("{}{} @ {address}", self.name, self.extras);
        Install::Requirement(match &self.marker {
            // The space separates it from the address.
            Some(marker) => format!("{requirement} ; {marker}"),
            None => requirement,
        })
    }

    fn by_git(&self, git: &str, source: &Table) -> Install {
        let text = |key: &str| source.get(key).and_then(Value::as_str);
        let mut address = match (git.split_once("://"), git.split_once(':')) {
            (Some(_), _) if git.starts_with("git+") => git.to_owned(),
            (Some(_), _) => format!("git+{git}"),
            // `git@host:owner/name.git`
            (None, Some((host, path))) if host.contains('@') && !host.contains('/') => {
                format!("git+ssh://{host}/{}", path.trim_start_matches('/'))
            }
            _ => return Install::Not("comes from a repository that pip cannot read".into()),
        };
        let version = ["rev", "ref", "tag", "branch"].into_iter().find_map(text);
        if let Some(version) = version {
            address += &format!("@{version}");
        }
        if let Some(dir) = text("subdirectory") {
            address += &format!("#subdirectory={dir}");
        }
        self.by_address(&address)
    }

    fn marked(&self, requirement: &str) -> String {
        match &self.marker {
            Some(marker) => format!("{requirement}; {marker}"),
            None => requirement.to_owned(),
        }
    }
}

/// Returns how a package of Poetry's or Pipenv's tables is installed; it is one entry of a list if there are
/// several.
pub(super) fn of_table(name: &str, value: &Value, indexes: &Indexes) -> Install {
    let version = value
        .as_str()
        .or_else(|| value.get("version").and_then(Value::as_str));
    let empty = Table::new();
    let table = value.as_table().unwrap_or(&empty);
    let Some(marker) = marker(table) else {
        return Install::Not("has a condition that pip cannot read".into());
    };
    let wanted = Wanted {
        name,
        extras: extras(table),
        version: version.and_then(constraint::to_pip).unwrap_or_default(),
        marker,
    };
    wanted.install(table, indexes)
}

fn extras(table: &Table) -> String {
    let extras = table.get("extras").and_then(Value::as_array);
    let extras: Vec<&str> = extras
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match extras.is_empty() {
        true => String::new(),
        false => format!("[{}]", extras.join(",")),
    }
}

/// Variables of environment markers that Pipenv accepts as keys.
const MARKERS: [&str; 11] = [
    "os_name",
    "sys_platform",
    "platform_machine",
    "platform_python_implementation",
    "platform_release",
    "platform_system",
    "platform_version",
    "python_version",
    "python_full_version",
    "implementation_name",
    "implementation_version",
];

/// Returns the environment marker of an entry, if it has one; `None` if it cannot be expressed.
fn marker(table: &Table) -> Option<Option<String>> {
    let mut all = Vec::new();
    for (key, value) in table {
        let text = match value.as_str() {
            Some(text) => text.trim(),
            None => continue,
        };
        all.extend(match key.as_str() {
            "markers" | "marker" => Some(text.to_owned()),
            "python" => constraint::to_marker(text)?,
            "platform" => Some(platform(text)?),
            key if MARKERS.contains(&key) => Some(format!("{key} {text}")),
            _ => None,
        });
    }
    Some(joined(all))
}

/// Joins markers that must all apply.
pub(super) fn joined(mut all: Vec<String>) -> Option<String> {
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => {
            let all = all.into_iter().map(|one| match one.contains(" or ") {
                true => format!("({one})"),
                false => one,
            });
            Some(all.collect::<Vec<_>>().join(" and "))
        }
    }
}

/// Converts Poetry's `platform`, such as `linux || darwin` or `!=win32`.
fn platform(text: &str) -> Option<String> {
    let one = |part: &str| {
        let part = part.trim();
        let (operator, name) = match part.strip_prefix("!=").or_else(|| part.strip_prefix('!')) {
            Some(name) => ("!=", name),
            None => ("==", part.trim_start_matches("==")),
        };
        let name = name.trim();
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| format!("sys_platform {operator} \"{name}\""))
    };
    let all: Option<Vec<String>> = text
        .split('|')
        .filter(|part| !part.trim().is_empty())
        .map(one)
        .collect();
    all.filter(|all| !all.is_empty())
        .map(|all| all.join(" or "))
}
