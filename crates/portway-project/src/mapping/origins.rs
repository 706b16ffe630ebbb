//! Lists of origins that may call a backend: those of this instance are added to the user's.

use super::AppVariable;
use super::value::{MappedValue, Part};

/// Parts of names of variables with a list of origins.
const NAMES: [&str; 3] = ["ORIGINS", "CORS_ORIGIN", "CORS_ALLOW"];

/// Texts between two origins of a list.
pub(crate) const ORIGIN_SEPARATORS: [&str; 4] = [",", "\",\"", ";", " "];

/// Adds the origins of this instance to a list; `None` if the variable is no list of origins.
pub(super) fn map(variable: &AppVariable) -> Option<(MappedValue, Vec<String>)> {
    let name = variable.name.to_ascii_uppercase();
    if !NAMES.iter().any(|part| name.contains(part)) {
        return None;
    }
    let value = variable.value.trim();
    let is_list = name.contains("ORIGINS");
    let mapped = match value.strip_prefix('[') {
        Some(rest) => json(value, rest)?,
        None => plain(value, is_list)?,
    };
    let meaning = "the origins of this instance are added".to_owned();
    Some((mapped, vec![meaning]))
}

/// Extends a JSON array of strings.
fn json(value: &str, rest: &str) -> Option<MappedValue> {
    let list: Vec<String> = serde_json::from_str(value).ok()?;
    if !list.iter().all(|one| is_origin(one)) {
        return None;
    }
    let inside = rest.trim_end().strip_suffix(']')?.trim_end();
    let mut mapped = MappedValue::literal("[");
    if !list.is_empty() {
        mapped.push_literal(inside.trim_start());
        mapped.push_literal(",");
    }
    mapped.push_literal("\"");
    mapped.parts.push(Part::Origins {
        separator: "\",\"".into(),
    });
    mapped.push_literal("\"]");
    Some(mapped)
}

/// Extends a list that is separated by commas, semicolons or spaces. A single origin is a list only if
/// the variable's name says so.
fn plain(value: &str, is_list: bool) -> Option<MappedValue> {
    let separators = |c: char| c == ',' || c == ';' || c.is_whitespace();
    let separator = match value.find(separators) {
        Some(at) if value[at..].starts_with(';') => ";",
        Some(at) if value[at..].starts_with(',') => ",",
        Some(_) => " ",
        None if is_list => ",",
        None => return None,
    };
    let mut origins = value
        .split(separators)
        .filter(|one| !one.is_empty())
        .peekable();
    origins.peek()?;
    if !origins.all(is_origin) {
        return None;
    }
    let mut mapped = MappedValue::literal(value.trim_end_matches(separators));
    mapped.push_literal(separator);
    mapped.parts.push(Part::Origins {
        separator: separator.into(),
    });
    Some(mapped)
}

/// Returns whether a text is an origin: a scheme, a host and perhaps a port.
fn is_origin(text: &str) -> bool {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        let host = rest.strip_suffix('/').unwrap_or(rest);
        !host.is_empty() && !host.contains(['/', '*', '?', '#', '@'])
    })
}
