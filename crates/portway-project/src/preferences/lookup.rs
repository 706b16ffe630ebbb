//! Finds a preference by its path.

use super::keys::{KEYS, Key};
use crate::suggest::{closest, suggestion};

/// What a path refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// A preference.
    Key(&'static Key),
    /// A table of preferences.
    Table,
    /// Nothing.
    Unknown,
}

/// Looks up a path.
pub(crate) fn find(path: &[String]) -> Lookup {
    let mut candidates = KEYS.iter().filter(|key| key.starts_with(path)).peekable();
    if candidates.peek().is_none() {
        return Lookup::Unknown;
    }
    candidates
        .find(|key| key.parts().count() == path.len())
        .map_or(Lookup::Table, Lookup::Key)
}

/// A suggestion for an unknown path, based on the first unknown part.
pub(crate) fn suggest(path: &[String]) -> String {
    let known = (0..=path.len())
        .rev()
        .find(|&count| find(&path[..count]) != Lookup::Unknown)
        .unwrap_or(0);
    let parent = &path[..known];
    let mut siblings: Vec<&str> = Vec::new();
    for key in KEYS.iter().filter(|key| key.starts_with(parent)) {
        if let Some(part) = key
            .parts()
            .nth(known)
            .filter(|part| !siblings.contains(part))
        {
            siblings.push(part);
        }
    }
    let full = |part: &str| {
        let parent = format_path(parent);
        let dot = if parent.is_empty() { "" } else { "." };
        format!("{parent}{dot}{part}")
    };
    // Compares the parts only: with the common parent, every candidate would be similar.
    let wrong = path.get(known).map_or("", String::as_str);
    match closest(wrong, siblings.iter().copied()) {
        Some(part) => {
            // The parts after the unknown one, if the corrected path has them.
            let mut corrected = [parent, &[part.to_owned()]].concat();
            let rest = path.get(known + 1..).unwrap_or_default();
            if find(&[&corrected, rest].concat()) != Lookup::Unknown {
                corrected.extend_from_slice(rest);
            }
            format!("did you mean `{}`?", format_path(&corrected))
        }
        None => {
            let all: Vec<String> = siblings.into_iter().map(full).collect();
            suggestion("", all.iter().map(String::as_str))
        }
    }
}

/// A path as people write it: `logs.size`, `prefer.projects."my.app".api`.
pub fn format_path(path: &[String]) -> String {
    let parts: Vec<String> = path
        .iter()
        .map(|part| toml_edit::Key::new(part).to_string())
        .collect();
    parts.join(".")
}
