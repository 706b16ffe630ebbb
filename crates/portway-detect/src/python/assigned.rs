//! What a name in Python source is assigned.

use super::calls::{balanced, split};

/// Returns the first value that a name is assigned, or its default as a parameter.
pub(super) fn assigned<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut at = 0;
    text.split_inclusive('\n').find_map(|line| {
        let start = at;
        at += line.len();
        let code = line.trim_start();
        let parameter = || {
            let inside = code
                .strip_prefix("def ")
                .or_else(|| code.strip_prefix("async def "))?;
            let inside = balanced(&inside[inside.find('(')?..])?;
            split(inside)
                .into_iter()
                .find_map(|one| value_of(one, name))
        };
        // `port=port,` is an argument of a call.
        let is_itself = |value: &&str| value.trim_end().trim_end_matches([',', ')']) == name;
        let value = match value_of(code, name).filter(|value| !is_itself(value)) {
            Some(value) => value,
            None => return parameter(),
        };
        // A value in brackets may continue on the next lines.
        let offset = start + (line.len() - code.len()) + (code.len() - value.len());
        let rest = &text[offset..];
        let end = value.find('\n').unwrap_or(value.len());
        let first = value[..end].trim_end();
        match first.ends_with(['(', '[']) {
            true => {
                let open = first.len() - 1;
                let inner = balanced(&rest[open..])?;
                Some(&rest[..open + inner.len() + 2])
            }
            false => Some(without_comment(first).trim_end_matches(',')),
        }
    })
}

/// Returns what follows `name =` or `name: type =`.
fn value_of<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(name)?.trim_start();
    let rest = match rest.strip_prefix(':') {
        Some(annotated) => {
            let at = annotated.find('=')?;
            let annotation = &annotated[..at];
            (!annotation.contains(['(', '\n'])).then(|| &annotated[at..])?
        }
        None => rest,
    };
    let value = rest.strip_prefix('=')?;
    (!value.starts_with('=')).then(|| value.trim_start())
}

fn without_comment(text: &str) -> &str {
    text.split(" #").next().unwrap_or(text).trim()
}
