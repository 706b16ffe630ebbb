//! Lists of origins that may call a backend: those of this instance are added to the user's. An origin of the
//! user with the usual port of a service also gets the port that the service has in this instance.

use super::value::{MappedValue, Part};
use super::{AppVariable, Context};

/// Parts of names of variables with a list of origins.
const NAMES: [&str; 3] = ["ORIGINS", "CORS_ORIGIN", "CORS_ALLOW"];

/// Texts between two origins of a list.
pub(crate) const ORIGIN_SEPARATORS: [&str; 4] = [",", "\",\"", ";", " "];

/// Adds the origins of this instance to a list; `None` if the variable is no list of origins.
pub(super) fn map(
    context: &Context<'_>,
    variable: &AppVariable,
) -> Option<(MappedValue, Vec<String>)> {
    let name = variable.name.to_ascii_uppercase();
    if !NAMES.iter().any(|part| name.contains(part)) {
        return None;
    }
    let value = variable.value.trim();
    let is_list = name.contains("ORIGINS");
    let (separator, list) = match value.starts_with('[') {
        true => ("\",\"", serde_json::from_str(value).ok()?),
        false => plain(value, is_list)?,
    };
    if !list.iter().all(|one| is_origin(one)) {
        return None;
    }
    let mut own: Vec<MappedValue> = list.iter().map(|one| MappedValue::literal(one)).collect();
    let mut meaning = Vec::new();
    for (mapped, why) in list.iter().filter_map(|one| context.map_usual(one)) {
        own.push(mapped);
        meaning.extend(why);
    }
    meaning.push("the origins of this instance are added".to_owned());
    let origins = Part::Origins {
        separator: separator.to_owned(),
        own,
    };
    let mut mapped = MappedValue::default();
    if value.starts_with('[') {
        mapped.push_literal("[\"");
        mapped.parts.push(origins);
        mapped.push_literal("\"]");
    } else {
        mapped.parts.push(origins);
    }
    Some((mapped, meaning))
}

/// Splits a list that is separated by commas, semicolons or spaces, and returns its separator too. A single
/// origin is a list only if the variable's name says so.
fn plain(value: &str, is_list: bool) -> Option<(&'static str, Vec<String>)> {
    let separators = |c: char| c == ',' || c == ';' || c.is_whitespace();
    let separator = match value.find(separators) {
        Some(at) if value[at..].starts_with(';') => ";",
        Some(at) if value[at..].starts_with(',') => ",",
        Some(_) => " ",
        None if is_list => ",",
        None => return None,
    };
    let origins = value.split(separators).filter(|one| !one.is_empty());
    let list: Vec<String> = origins.map(str::to_owned).collect();
    (!list.is_empty()).then_some((separator, list))
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
