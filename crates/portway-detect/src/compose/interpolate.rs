//! Variable interpolation in compose files: `$NAME`, `${NAME}`, `${NAME:-default}` and similar.

use indexmap::IndexMap;
use serde_json::Value;

/// Maximum nesting of defaults within defaults.
const MAX_DEPTH: usize = 5;

/// Replaces the variables in every string of a value; a variable without a value becomes empty.
pub(super) fn fill_all(value: &mut Value, variables: &IndexMap<String, String>) {
    match value {
        Value::String(text) if text.contains('$') => *text = fill(text, variables, 0),
        Value::Array(list) => {
            for value in list {
                fill_all(value, variables);
            }
        }
        Value::Object(map) => {
            for (_, value) in map.iter_mut() {
                fill_all(value, variables);
            }
        }
        _ => {}
    }
}

fn fill(text: &str, variables: &IndexMap<String, String>, depth: usize) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            filled.push('$');
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let Some(end) = closing(inside) else {
                filled.push('$');
                continue;
            };
            filled.push_str(&braced(&inside[..end], variables, depth));
            rest = &inside[end + 1..];
        } else {
            let name = name_at(rest);
            match name.is_empty() {
                true => filled.push('$'),
                false => filled.push_str(variables.get(name).map_or("", String::as_str)),
            }
            rest = &rest[name.len()..];
        }
    }
    filled + rest
}

/// Evaluates `NAME`, `NAME:-default`, `NAME?error` or `NAME:+alternative`.
fn braced(inside: &str, variables: &IndexMap<String, String>, depth: usize) -> String {
    let name = name_at(inside);
    let operator = &inside[name.len()..];
    let (needs_text, operator) = match operator.strip_prefix(':') {
        Some(operator) => (true, operator),
        None => (false, operator),
    };
    let value = variables.get(name);
    let value = value.filter(|value| !needs_text || !value.is_empty());
    let mut characters = operator.chars();
    let kind = characters.next();
    let other = || match depth < MAX_DEPTH {
        true => fill(characters.as_str(), variables, depth + 1),
        false => String::new(),
    };
    match (kind, value) {
        (Some('-'), None) | (Some('+'), Some(_)) => other(),
        (Some('+'), None) => String::new(),
        (_, value) => value.cloned().unwrap_or_default(),
    }
}

fn name_at(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Returns the position of the brace that closes the one before `text`. The search is limited to
/// the length of a long line, so a text full of open braces takes linear time.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    text.bytes().take(500).position(|byte| {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return true,
            b'}' => open -= 1,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolates_variables_with_defaults() {
        let variables = [("A", "1"), ("E", "")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = IndexMap::from(variables);
        for (text, filled) in [
            ("$A:${A}", "1:1"),
            ("${B:-2}:${B-3}:${E-4}:${E:-5}", "2:3::5"),
            ("${B:-${C:-${A}}}", "1"),
            ("${B}${B:?must}x", "x"),
            ("${A:+yes}${B:+no}", "yes"),
            ("$$A $", "$A $"),
            ("${open", "${open"),
            ("$-", "$-"),
        ] {
            assert_eq!(fill(text, &variables, 0), filled, "{text}");
        }
        for text in [
            "${a:-".repeat(100_000),
            "$".repeat(100_000),
            "${".repeat(100_000),
        ] {
            fill(&text, &variables, 0);
        }
    }
}
