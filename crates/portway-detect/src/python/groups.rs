//! Dependency groups: which packages Poetry, uv, PDM, Rye and Hatch install for development.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::packages::{Group, Packages};

/// Maximum number of dependency groups that include each other.
const MAX_INCLUDED: usize = 20;

impl Packages {
    /// Reads dependency groups: those that the project's tool installs by default first.
    pub(super) fn groups(&mut self, file: &str, table: &Table) {
        let tool = |name: &str| table.get("tool").and_then(|tool| tool.get(name));
        let key = |name: &str, key: &str| tool(name).and_then(|one| one.get(key));
        for dev in [
            key("uv", "dev-dependencies"),
            key("rye", "dev-dependencies"),
            key("hatch", "envs").and_then(|envs| envs.get("default")?.get("dependencies")),
        ] {
            self.list(file, dev, &Group::Default);
        }
        self.table(file, key("poetry", "dev-dependencies"), &|_| Group::Default);
        let pdm = key("pdm", "dev-dependencies").and_then(Value::as_table);
        for (_, list) in pdm.into_iter().flatten() {
            self.list(file, Some(list), &Group::Default);
        }
        let poetry = key("poetry", "group").and_then(Value::as_table);
        let is_optional = |name: &str| {
            let group = poetry.and_then(|groups| groups.get(name));
            group.and_then(|group| group.get("optional")?.as_bool()) == Some(true)
        };
        let chosen = key("uv", "default-groups");
        let is_default = |name: &str| match chosen {
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(name)),
            Some(_) => true,
            // Poetry and PDM install all groups.
            None if tool("poetry").is_some() => !is_optional(name),
            None => name == "dev" || tool("pdm").is_some(),
        };
        let groups = table.get("dependency-groups").and_then(Value::as_table);
        for by_default in [true, false] {
            let group = |name: &String| match by_default {
                true => Group::Default,
                false => Group::Requirement(name.clone()),
            };
            for (name, one) in poetry.into_iter().flatten() {
                if is_optional(name) != by_default {
                    self.table(file, one.get("dependencies"), &|_| group(name));
                }
            }
            for name in groups.into_iter().flat_map(Table::keys) {
                if is_default(name) == by_default {
                    for list in included(groups, name) {
                        self.list(file, Some(list), &group(name));
                    }
                }
            }
        }
    }
}

/// Returns the lists of a dependency group and of those that it includes.
fn included<'t>(groups: Option<&'t Table>, name: &str) -> Vec<&'t Value> {
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    let mut names = vec![name.to_owned()];
    while let Some(name) = names.pop().filter(|_| all.len() < MAX_INCLUDED) {
        let Some(list) = groups.and_then(|groups| groups.get(&name)) else {
            continue;
        };
        if seen.insert(name) {
            let entries = list.as_array().into_iter().flatten();
            let includes = entries.filter_map(|one| one.get("include-group")?.as_str());
            names.extend(includes.map(str::to_owned));
            all.push(list);
        }
    }
    all
}
