//! Settings whose variables follow from the names of fields: classes of pydantic, and keys of viper.

use super::value::{Value, bounded, is_word, value, words};

/// Maximum length of the value of a field, in bytes.
const MAX: usize = 400;

/// A variable with its default and the position where it is declared.
pub(super) type Declared = (usize, String, Value);

/// Returns the fields with a default of the classes of settings in a text (pydantic).
pub(super) fn fields(text: &str) -> Vec<Declared> {
    let mut all = Vec::new();
    if !text.contains("Settings") {
        return all;
    }
    let mut at = 0;
    while let Some(start) = next_class(text, at) {
        let first_line = text[start..]
            .find('\n')
            .map_or(text.len(), |end| start + end + 1);
        let end = end_of_class(text, first_line);
        at = end;
        // A class over several lines has its bases on them.
        let head = bounded(&text[start..], MAX)
            .split(":\n")
            .next()
            .unwrap_or("");
        if head.contains("Settings)") || head.contains("Settings,") || head.contains("Settings\n") {
            class(text, first_line, end, &mut all);
        }
    }
    all
}

fn next_class(text: &str, from: usize) -> Option<usize> {
    if text[from..].starts_with("class ") {
        return Some(from);
    }
    let at = text[from..].find("\nclass ")?;
    Some(from + at + 1)
}

/// Returns where a class ends: at the next line that is not indented.
fn end_of_class(text: &str, first_line: usize) -> usize {
    let mut at = first_line;
    for line in text[first_line..].split_inclusive('\n') {
        let is_inside = line.trim().is_empty() || line.starts_with([' ', '\t', ')', '#']);
        if !is_inside {
            return at;
        }
        at += line.len();
    }
    text.len()
}

fn class(text: &str, start: usize, end: usize, all: &mut Vec<Declared>) {
    let body = &text[start..end];
    let prefix = words(body, "env_prefix").find_map(|at| {
        let rest = body[at + "env_prefix".len()..]
            .trim_start_matches(['"', '\''])
            .trim_start();
        value(rest.strip_prefix(['=', ':'])?)
    });
    let prefix = prefix.map_or(String::new(), |prefix| prefix.text);
    let mut at = start;
    let mut indent = None;
    for line in body.split_inclusive('\n') {
        let here = at;
        at += line.len();
        let trimmed = line.trim_start();
        let depth = line.len() - trimmed.len();
        if trimmed.is_empty() || trimmed.starts_with('#') || depth != *indent.get_or_insert(depth) {
            continue;
        }
        let name_end = trimmed.find(|c| !is_word(c)).unwrap_or(0);
        let (name, rest) = trimmed.split_at(name_end);
        let Some((kind, assigned)) = rest
            .trim_start()
            .strip_prefix(':')
            .and_then(|rest| rest.split_once('='))
        else {
            continue;
        };
        if name.is_empty() || kind.contains('#') || kind.contains('"') {
            continue;
        }
        let from = at - assigned.len();
        let assigned = bounded(&text[from..end], MAX);
        if let Some((own, mut found)) = field(assigned) {
            // pydantic reads lists as JSON.
            if let Some(items) = &found.items {
                let items = items
                    .iter()
                    .map(|item| serde_json::Value::from(item.as_str()));
                found.text = serde_json::Value::Array(items.collect()).to_string();
            }
            let variable = own.unwrap_or_else(|| format!("{prefix}{name}"));
            let is_upper = variable.chars().any(|c| c.is_ascii_uppercase()) && variable == name;
            let variable = if is_upper {
                variable
            } else {
                variable.to_ascii_uppercase()
            };
            all.push((here, variable, found));
        }
    }
}

/// Returns the variable and the default of a field: `"…"`, `Field(default="…", alias="NAME")`.
fn field(assigned: &str) -> Option<(Option<String>, Value)> {
    let Some(inside) = assigned.trim_start().strip_prefix("Field(") else {
        return Some((None, value(assigned)?));
    };
    let (inside, _) = super::value::closed(inside)?;
    let keyword = |name: &str| {
        let at = words(inside, name).next()?;
        value(inside[at + name.len()..].trim_start().strip_prefix('=')?)
    };
    let default = keyword("default").or_else(|| super::value::argument(inside));
    let default = default.or_else(|| {
        // `default_factory=lambda: ["…"]`
        let (_, made) = inside.split_once("default_factory")?;
        value(made.split_once("lambda:")?.1)
    });
    let own = ["validation_alias", "alias", "env"]
        .iter()
        .find_map(|name| keyword(name));
    Some((own.map(|own| own.text), default?))
}

/// Returns the keys to which a text gives defaults for viper, if viper reads variables.
pub(super) fn viper(text: &str) -> Vec<Declared> {
    let mut all = Vec::new();
    if !text.contains("SetDefault(") || !text.contains("AutomaticEnv(") {
        return all;
    }
    let string_after = |call: &str| value(&text[text.find(call)? + call.len()..]);
    let prefix = string_after("SetEnvPrefix(");
    let prefix = prefix.map_or(String::new(), |prefix| format!("{}_", prefix.text));
    let replaces = text.contains("SetEnvKeyReplacer(");
    for (at, call) in text.match_indices("SetDefault(") {
        let inside = bounded(&text[at + call.len()..], MAX);
        let Some((key, default)) = inside.split_once(',') else {
            continue;
        };
        let (Some(key), Some(default)) = (value(key), value(default)) else {
            continue;
        };
        if !replaces && key.text.contains(['.', '-']) {
            continue;
        }
        let name = format!("{prefix}{}", key.text.replace(['.', '-'], "_"));
        all.push((at, name.to_ascii_uppercase(), default));
    }
    all
}

/// Returns the defaults of configuration in C#: `configuration["Api:Url"] ?? "…"`, which `Api__Url` sets.
pub(super) fn configuration(text: &str) -> Vec<Declared> {
    let mut all = Vec::new();
    for (call, prefix) in [
        ("onfiguration[", ""),
        ("GetConnectionString(", "ConnectionStrings__"),
    ] {
        for (at, _) in text.match_indices(call) {
            let rest = bounded(&text[at + call.len()..], MAX);
            let Some((key, rest)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'))
            else {
                continue;
            };
            let rest = rest.trim_start_matches([']', ')', '!']).trim_start();
            if let Some(found) = rest.strip_prefix("??").and_then(value) {
                all.push((at, format!("{prefix}{}", key.replace(':', "__")), found));
            }
        }
    }
    all
}

/// Returns the default of `dj_database_url.config(default="…")`, which reads `DATABASE_URL`.
pub(super) fn database_url(text: &str) -> Option<Declared> {
    let call = "dj_database_url.config(";
    let at = text.find(call)?;
    let (inside, _) = super::value::closed(bounded(&text[at + call.len()..], MAX))?;
    let is_usual = !inside.contains("env=") && !inside.trim_start().starts_with(['"', '\'']);
    let default = super::fallback::named(inside).filter(|_| is_usual)?;
    Some((at, "DATABASE_URL".to_owned(), default))
}
