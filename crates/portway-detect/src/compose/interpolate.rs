//! Variable interpolation in compose files: `$NAME`, `${NAME}`, `${NAME:-default}` and similar.

use indexmap::IndexMap;
use serde_json::Value;

/// Maximum nesting of defaults within defaults.
const MAX_DEPTH: usize = 5;

/// A variable that a text refers to, and that has neither a value nor a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unset {
    pub(super) name: String,
    /// Whether Compose refuses the file: `${NAME?error}`.
    pub(super) is_required: bool,
}

/// Returns the variables in the strings of a value that have neither a value nor a default.
pub(super) fn unset(value: &Value, variables: &IndexMap<String, String>) -> Vec<Unset> {
    let mut unset = Vec::new();
    collect(value, variables, &mut unset);
    unset
}

fn collect(value: &Value, variables: &IndexMap<String, String>, unset: &mut Vec<Unset>) {
    match value {
        Value::String(text) if text.contains('$') => drop(fill(text, variables, 0, unset)),
        Value::Array(list) => list.iter().for_each(|one| collect(one, variables, unset)),
        Value::Object(map) => map.values().for_each(|one| collect(one, variables, unset)),
        _ => {}
    }
}

/// Replaces the variables in every string of a value; a variable without a value becomes empty.
pub(super) fn fill_all(value: &mut Value, variables: &IndexMap<String, String>) {
    match value {
        Value::String(text) if text.contains('$') => {
            *text = fill(text, variables, 0, &mut Vec::new());
        }
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

/// Replaces the variables in a text, and adds those without a value to `unset`.
fn fill(
    text: &str,
    variables: &IndexMap<String, String>,
    depth: usize,
    unset: &mut Vec<Unset>,
) -> String {
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
            filled.push_str(&braced(&inside[..end], variables, depth, unset));
            rest = &inside[end + 1..];
        } else {
            let name = name_at(rest);
            match name.is_empty() {
                true => filled.push('$'),
                false => filled.push_str(&braced(name, variables, depth, unset)),
            }
            rest = &rest[name.len()..];
        }
    }
    filled + rest
}

/// Evaluates `NAME`, `NAME:-default`, `NAME?error` or `NAME:+alternative`.
fn braced(
    inside: &str,
    variables: &IndexMap<String, String>,
    depth: usize,
    unset: &mut Vec<Unset>,
) -> String {
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
    match (kind, value) {
        (Some('-'), None) | (Some('+'), Some(_)) if depth < MAX_DEPTH => {
            fill(characters.as_str(), variables, depth + 1, unset)
        }
        (Some('-' | '+'), None) | (Some('+'), Some(_)) => String::new(),
        (kind, None) => {
            unset.push(Unset {
                name: name.to_owned(),
                is_required: kind == Some('?'),
            });
            String::new()
        }
        (_, Some(value)) => value.clone(),
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
            assert_eq!(fill(text, &variables, 0, &mut Vec::new()), filled, "{text}");
        }
        for text in [
            "${a:-".repeat(100_000),
            "$".repeat(100_000),
            "${".repeat(100_000),
        ] {
            fill(&text, &variables, 0, &mut Vec::new());
        }
    }
    #[test]
    fn names_variables_without_a_value_or_a_default() {
        let variables = IndexMap::from([("A".to_owned(), "1".to_owned())]);
        let value = serde_json::json!({
            "a": ["$A ${B} ${C:-x} ${D:-${E}} ${F:+$G}", {"b": "${H?say} ${I:?say} ${A:+$J}"}],
        });
        let all: Vec<_> = unset(&value, &variables)
            .into_iter()
            .map(|one| (one.name, one.is_required))
            .collect();
        let expected = [
            ("B", false),
            ("E", false),
            ("H", true),
            ("I", true),
            ("J", false),
        ];
        assert_eq!(
            all,
            expected.map(|(name, required)| (name.to_owned(), required))
        );
    }
}
