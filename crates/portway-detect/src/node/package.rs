//! Reads `package.json`, and tolerates unexpected types.

use indexmap::IndexMap;
use serde_json::Value;

use crate::Dir;
use crate::yaml::strings;

/// The `package.json` of one directory.
#[derive(Debug, Default)]
pub(super) struct Package {
    /// Its scripts by name, in the order of the file.
    pub(super) scripts: IndexMap<String, String>,
    /// All its dependencies, of every kind, with the ranges of their versions.
    dependencies: Vec<(String, String)>,
    /// Its `main` file.
    pub(super) main: Option<String>,
    /// Its workspace patterns.
    pub(super) workspaces: Vec<String>,
    /// Its `packageManager`: `pnpm@9.1.0`.
    pub(super) manager: Option<String>,
    /// Whether it installs programs (`bin`).
    pub(super) has_programs: bool,
}

impl Package {
    /// Reads the file in `dir`; `None` if there is no usable one.
    pub(super) fn read(dir: &Dir<'_>) -> Option<Self> {
        let value = dir.json("package.json")?;
        if !value.is_object() {
            dir.skip("package.json", "is not a JSON object");
            return None;
        }
        let texts = |key: &str| {
            let pairs = value.get(key).and_then(Value::as_object);
            let pairs = pairs.into_iter().flatten();
            pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        };
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let workspaces = value.get("workspaces");
        let workspaces = workspaces.map(|all| all.get("packages").unwrap_or(all));
        Some(Self {
            scripts: texts("scripts").collect(),
            dependencies: ["dependencies", "devDependencies", "optionalDependencies"]
                .into_iter()
                .flat_map(texts)
                .collect(),
            main: text("main"),
            workspaces: workspaces.map(strings).unwrap_or_default(),
            manager: text("packageManager"),
            has_programs: value.get("bin").is_some(),
        })
    }

    /// Returns whether it depends on a package.
    pub(super) fn has(&self, package: &str) -> bool {
        self.dependencies.iter().any(|(name, _)| name == package)
    }

    /// Returns the major version of a package on which it depends, if its range names one: 4 for `^4.41.2`.
    pub(super) fn major(&self, package: &str) -> Option<u32> {
        let (_, range) = self.dependencies.iter().find(|(name, _)| name == package)?;
        let version = range.trim_start_matches(['^', '~', '=', 'v', ' ']);
        let end = version
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(version.len());
        version[..end].parse().ok()
    }

    /// The names of all its dependencies.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().map(|(name, _)| name.as_str())
    }

    /// Returns whether there is anything to install.
    pub(super) fn needs_packages(&self) -> bool {
        !self.dependencies.is_empty()
    }
}
