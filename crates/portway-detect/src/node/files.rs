//! Finds the source files that commands and imports of a package name.

use crate::Dir;

/// Extensions that a command may omit.
const ENDS: [&str; 7] = ["", ".js", ".ts", ".mjs", ".mts", ".cjs", ".tsx"];

/// The file that a directory stands for.
const INDEX: &str = "index.js";

/// Returns whether a directory with this name contains what a build makes.
pub(super) fn is_built(name: &str) -> bool {
    ["dist", "build", "out", "lib", "node_modules"].contains(&name)
}

/// Resolves an argument of a command to a file with its extension.
pub(super) fn resolve(dir: &Dir<'_>, word: &str) -> Option<String> {
    let word = word.trim_start_matches("./");
    if word.is_empty() || word.starts_with(['-', '/']) || word.contains("..") {
        return None;
    }
    // Build output is skipped, because its source is read.
    let first = word.split('/').next().unwrap_or("");
    let (place, name) = word.rsplit_once('/').unwrap_or(("", word));
    if !place.is_empty() && (is_built(first) || !dir.has(first)) {
        return None;
    }
    let below = match place {
        "" => None,
        place => Some(dir.below(place)?),
    };
    let at = below.as_ref().unwrap_or(dir);
    let is_file = |name: &str| {
        let mut files = at.files();
        (is_source(name) || !name.contains('.')) && files.any(|file| file == name)
    };
    let end = ENDS.iter().find(|end| is_file(&format!("{name}{end}")));
    if let Some(end) = end {
        return Some(format!("{word}{end}"));
    }
    let sub = at.sub(name).filter(|_| !is_built(first))?;
    sub.files()
        .any(|file| file == INDEX)
        .then(|| format!("{word}/{INDEX}"))
}

pub(super) fn read(dir: &Dir<'_>, file: &str) -> Option<String> {
    let (place, name) = file.rsplit_once('/').unwrap_or(("", file));
    dir.below(place)?.read(name)
}

/// Returns whether a file with this name is source of the application.
pub(super) fn is_source(name: &str) -> bool {
    let ends = [".js", ".ts", ".mjs", ".mts", ".cjs", ".cts", ".tsx"];
    let is_test = name.contains(".test.") || name.contains(".spec.") || name.contains(".config.");
    ends.iter().any(|end| name.ends_with(end)) && !name.ends_with(".d.ts") && !is_test
}
