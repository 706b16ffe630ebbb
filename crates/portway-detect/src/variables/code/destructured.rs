//! Variables that JavaScript reads all at once: `const { API_PORT = 4321 } = process.env`.

use super::value::{Value, argument, arguments, bounded_end, is_word, words};

/// One variable of a pattern.
#[derive(Debug)]
pub(crate) struct Destructured<'t> {
    /// The environment variable.
    pub(crate) name: &'t str,
    /// The variable of the program that gets its value.
    pub(crate) target: &'t str,
    /// Its default.
    pub(crate) default: Option<Value>,
    /// The position of its name.
    pub(crate) at: usize,
}

/// Maximum length of a pattern, in bytes.
const MAX: usize = 3000;

/// Returns the variables of all patterns in a text.
pub(crate) fn destructured(text: &str) -> Vec<Destructured<'_>> {
    let mut all = Vec::new();
    for (at, _) in text.match_indices("env") {
        if text[at + 3..].starts_with(|c| is_word(c) || ".[(?".contains(c)) {
            continue;
        }
        let before = text[..at].trim_end_matches(|c| is_word(c) || c == '.');
        let Some(before) = before.trim_end().strip_suffix('=') else {
            continue;
        };
        let Some(before) = before.trim_end().strip_suffix('}') else {
            continue;
        };
        let before = bounded_end(before, MAX);
        let mut depth = 0_usize;
        let open = before.char_indices().rev().find(|(_, c)| {
            match c {
                '}' => depth += 1,
                '{' if depth == 0 => return true,
                '{' => depth -= 1,
                _ => {}
            }
            false
        });
        if let Some((open, _)) = open {
            let inside = &before[open + 1..];
            let start = text[..at].rfind(before).map_or(0, |start| start + open + 1);
            all.extend(arguments(inside).into_iter().filter_map(|one| {
                let mut found = entry(one)?;
                found.at = start + words(inside, found.name).next().unwrap_or(0);
                Some(found)
            }));
        }
    }
    all
}

/// Reads `NAME`, `NAME = default` or `NAME: target = default`.
fn entry(mut entry: &str) -> Option<Destructured<'_>> {
    loop {
        entry = entry.trim_start();
        match entry.strip_prefix("//") {
            Some(comment) => entry = comment.split_once('\n')?.1,
            None => break,
        }
    }
    let end = entry.find(|c| !is_word(c)).unwrap_or(entry.len());
    let (name, rest) = entry.split_at(end);
    if name.is_empty() {
        return None;
    }
    let (target, rest) = match rest.trim_start().strip_prefix(':') {
        Some(alias) => {
            let alias = alias.trim_start();
            alias.split_at(alias.find(|c| !is_word(c)).unwrap_or(alias.len()))
        }
        None => (name, rest),
    };
    Some(Destructured {
        name,
        target,
        default: rest.trim_start().strip_prefix('=').and_then(argument),
        at: 0,
    })
}
