//! Reads `Cargo.toml`: the dependencies of a package and its binaries.

use toml::{Table, Value};

use crate::Dir;
use crate::listens::Source;

/// A binary target of a package.
pub(super) struct Binary {
    pub(super) name: String,
    /// Path of its root source file.
    pub(super) source: Source,
    /// Whether that file is `src/main.rs`.
    pub(super) is_main: bool,
    /// Its `required-features`.
    pub(super) features: Vec<String>,
}

/// Returns whether the package depends on a crate, also under a renamed key. Optional dependencies
/// count for binaries that require features.
pub(super) fn depends(manifest: &Table, name: &str) -> bool {
    let list = manifest.get("dependencies").and_then(Value::as_table);
    let featured = listed(manifest).any(|bin| bin.get("required-features").is_some());
    list.into_iter().flatten().any(|(key, value)| {
        let renamed = value.get("package").and_then(Value::as_str);
        let optional = value.get("optional").and_then(Value::as_bool);
        let is_there = featured || optional != Some(true);
        is_there && renamed.unwrap_or(key).replace('_', "-") == name.replace('_', "-")
    })
}

/// The package's `default-run`.
pub(super) fn default_run(manifest: &Table) -> Option<&str> {
    manifest.get("package")?.get("default-run")?.as_str()
}

/// The `[[bin]]` tables.
fn listed(manifest: &Table) -> impl Iterator<Item = &Value> {
    let bins = manifest.get("bin").and_then(Value::as_array);
    bins.into_iter().flatten()
}

/// The binaries whose root source file exists: declared ones, and those in the default locations.
pub(super) fn binaries(dir: &Dir<'_>, manifest: &Table) -> Vec<Binary> {
    let Some(package) = manifest.get("package").and_then(Value::as_table) else {
        return Vec::new();
    };
    let own = package.get("name").and_then(Value::as_str).unwrap_or("");
    let text = |table: &Value, key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let with_path = listed(manifest).filter_map(|bin| {
        let name = text(bin, "name").unwrap_or_else(|| own.to_owned());
        Some((name, text(bin, "path")?))
    });
    let mut paths: Vec<(String, String)> = with_path.collect();
    let mut usual = vec![(own.to_owned(), "src/main.rs".to_owned())];
    if let Some(bin) = dir.below("src/bin") {
        let files = bin.files().filter_map(|file| file.strip_suffix(".rs"));
        usual.extend(files.map(|name| (name.to_owned(), format!("src/bin/{name}.rs"))));
        let dirs = bin.dirs();
        usual.extend(dirs.map(|name| (name.to_owned(), format!("src/bin/{name}/main.rs"))));
    }
    for (name, path) in usual {
        if !paths.iter().any(|(_, known)| *known == path) {
            paths.push((name, path));
        }
    }
    let read = |(name, path): (String, String)| {
        let (place, file) = path.rsplit_once('/').unwrap_or(("", &path));
        let source = dir.below(place)?.read(file)?;
        let own = listed(manifest).find(|bin| text(bin, "name").as_ref() == Some(&name));
        let features = own.and_then(|bin| bin.get("required-features")?.as_array());
        let features = features.into_iter().flatten().filter_map(Value::as_str);
        Some(Binary {
            features: features.map(str::to_owned).collect(),
            is_main: path == "src/main.rs",
            source: (dir.path_of(&path), source),
            name,
        })
    };
    paths.into_iter().filter_map(read).collect()
}
