//! References to other variables in values: `${NAME}`, `${NAME-default}` and `${NAME:-default}`.

/// Returns the value of a variable; the second argument is whether the reference has a default.
type ValueOf<'a> = &'a mut dyn FnMut(&str, bool) -> Option<String>;

/// Expands the references of an unquoted value.
pub(super) fn expand(text: &str, value_of: ValueOf<'_>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        expanded.push_str(&rest[..at]);
        rest = &rest[at..];
        match Reference::parse(rest) {
            Some(reference) => {
                expanded.push_str(&reference.value(value_of));
                rest = &rest[reference.length..];
            }
            None => {
                expanded.push_str("${");
                rest = &rest["${".len()..];
            }
        }
    }
    expanded.push_str(rest);
    expanded
}

/// Expands the references of a value in double quotes, and its escapes.
pub(super) fn expand_quoted(text: &str, value_of: ValueOf<'_>) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '$']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(reference) = Reference::parse(rest) {
            plain.push_str(&reference.value(value_of));
            rest = &rest[reference.length..];
            continue;
        }
        let mut characters = rest.chars();
        match (characters.next(), characters.clone().next()) {
            (Some('\\'), Some(escaped)) => {
                characters.next();
                match escaped {
                    'n' => plain.push('\n'),
                    'r' => plain.push('\r'),
                    't' => plain.push('\t'),
                    '"' | '\\' | '$' => plain.push(escaped),
                    other => plain.extend(['\\', other]),
                }
            }
            (first, _) => plain.extend(first),
        }
        rest = characters.as_str();
    }
    plain.push_str(rest);
    plain
}

/// A reference at the start of a text.
struct Reference<'a> {
    name: &'a str,
    /// The value if the variable is not set, or if it is empty and the reference has a colon.
    default: Option<&'a str>,
    replaces_empty: bool,
    length: usize,
}

impl<'a> Reference<'a> {
    /// Parses a reference. Other texts, such as the `$2b$` of a password hash, are none.
    fn parse(text: &'a str) -> Option<Self> {
        let inside = text.strip_prefix("${")?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = &inside[..inside.find(|c| !is_part(c))?];
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let after = &inside[name.len()..];
        if after.starts_with('}') {
            return Some(Self {
                name,
                default: None,
                replaces_empty: false,
                length: "${}".len() + name.len(),
            });
        }
        let replaces_empty = after.starts_with(':');
        let default = after
            .strip_prefix(":-")
            .or_else(|| after.strip_prefix('-'))?;
        let default = &default[..default.find(['}', '\n'])?];
        let operator = if replaces_empty { ":-" } else { "-" };
        let length = "${}".len() + name.len() + operator.len() + default.len();
        text[..length].ends_with('}').then_some(Self {
            name,
            default: Some(default),
            replaces_empty,
            length,
        })
    }

    fn value(&self, value_of: ValueOf<'_>) -> String {
        match (value_of(self.name, self.default.is_some()), self.default) {
            (Some(value), _) if !(value.is_empty() && self.replaces_empty) => value,
            (_, default) => default.unwrap_or_default().to_owned(),
        }
    }
}
