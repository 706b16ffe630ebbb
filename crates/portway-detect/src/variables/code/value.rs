//! Values in code of any language: strings, numbers and lists of strings.

/// A value that code writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    /// Its text; the items of a list are separated by commas.
    pub(crate) text: String,
    /// Whether it contains an expression, whose value is not known.
    pub(super) has_expression: bool,
    /// The items, if it is a list.
    pub(super) items: Option<Vec<String>>,
}

impl Value {
    fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// Calls around a value that do not change it.
const WRAPPERS: [&str; 13] = [
    "Number",
    "parseInt",
    "String",
    "String::from",
    "str",
    "int",
    "float",
    "Integer",
    "new URL",
    "URL",
    "Uri",
    "Ok",
    "Some",
];

/// Maximum depth of parentheses and calls around a value.
const MAX_DEPTH: usize = 4;

/// Returns the value at the start of a text.
pub(super) fn value(text: &str) -> Option<Value> {
    Some(read(text, 0)?.0)
}

/// Returns the value at the start of a text, and what follows it.
pub(super) fn leading(text: &str) -> Option<(Value, &str)> {
    read(text, 0)
}

/// Returns the value that a whole argument is, up to a comma or its end.
pub(super) fn argument(text: &str) -> Option<Value> {
    let (value, rest) = read(text, 0)?;
    let rest = rest.trim_start();
    (rest.is_empty() || rest.starts_with([',', ')', '}', ']', ';', '.'])).then_some(value)
}

/// Returns the value at the start of a text and what follows it.
fn read(text: &str, depth: usize) -> Option<(Value, &str)> {
    let text = text.trim_start();
    let first = text.chars().next().filter(|_| depth <= MAX_DEPTH)?;
    if first.is_ascii_digit() {
        return number(text);
    }
    if first == '(' {
        let (value, rest) = read(&text[1..], depth + 1)?;
        let rest = rest.trim_start();
        let rest = rest.strip_prefix(',').map_or(rest, str::trim_start);
        return Some((value, rest.strip_prefix(')')?));
    }
    if first == '[' {
        return list(&text[1..], depth);
    }
    let wrapped = WRAPPERS.iter().find_map(|name| {
        let rest = text.strip_prefix(name)?.trim_start();
        rest.strip_prefix('(')
    });
    if let Some(inside) = wrapped {
        let (value, rest) = read(inside, depth + 1)?;
        let rest = rest.trim_start();
        return Some((value, rest.strip_prefix(')').unwrap_or(rest)));
    }
    strings(text)
}

fn number(text: &str) -> Option<(Value, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let is_part = rest.starts_with(|c: char| c.is_alphanumeric())
        || (rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_digit()));
    // Types of numbers in Rust.
    let suffix = ["u16", "u32", "i32"]
        .iter()
        .find_map(|one| rest.strip_prefix(one));
    let (rest, is_part) = suffix.map_or((rest, is_part), |rest| (rest, false));
    let is_calculated = rest.trim_start().starts_with(['*', '+', '-', '%', '/'])
        && !rest.trim_start().starts_with("//")
        && !rest.trim_start().starts_with("/*");
    (!is_part && !is_calculated).then(|| (Value::plain(digits.replace('_', "")), rest))
}

/// Reads the items of a list and its closing bracket.
fn list(text: &str, depth: usize) -> Option<(Value, &str)> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix(']') {
            let value = Value {
                text: items.join(","),
                has_expression: false,
                items: Some(items),
            };
            return Some((value, after));
        }
        let (item, after) = read(rest, depth + 1)?;
        if item.has_expression || item.items.is_some() {
            return None;
        }
        items.push(item.text);
        rest = after.trim_start();
        rest = rest.strip_prefix(',').map_or(rest, str::trim_start);
    }
}

/// Reads a string, and those that follow it and are joined to it.
fn strings(text: &str) -> Option<(Value, &str)> {
    let (mut value, mut rest) = string(text)?;
    loop {
        let next = rest.trim_start();
        if let Some((more, after)) = string(next).filter(|_| next.starts_with(['"', '\'', 'f'])) {
            value.text.push_str(&more.text);
            value.has_expression |= more.has_expression;
            rest = after;
            continue;
        }
        let joined = next.strip_prefix('+').map(str::trim_start);
        let Some(joined) = joined.filter(|joined| !joined.starts_with(['+', '='])) else {
            let is_formatted =
                next.starts_with(".format(") || next.starts_with("% ") || next.starts_with(". $");
            value.has_expression |= is_formatted;
            return Some((value, rest));
        };
        let Some((more, after)) = string(joined) else {
            value.text.push('…');
            value.has_expression = true;
            return Some((value, rest));
        };
        value.text.push_str(&more.text);
        value.has_expression |= more.has_expression;
        rest = after;
    }
}

/// Reads one string with its prefix, such as `f"…"`.
fn string(text: &str) -> Option<(Value, &str)> {
    let at = text.find(['"', '\'', '`']).filter(|at| *at <= 2)?;
    let (prefix, quoted) = text.split_at(at);
    if !prefix.chars().all(|c| "rRbBuUfF$@".contains(c)) {
        return None;
    }
    let quote = quoted.chars().next()?;
    let inside = &quoted[1..];
    if quote != '`' && inside.starts_with(quote) && inside[1..].starts_with(quote) {
        // A string of several lines.
        return None;
    }
    let mut is_escaped = false;
    let end = inside.find(|c: char| {
        let ends = c == quote && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends || (c == '\n' && quote != '`')
    })?;
    let (value, rest) = (&inside[..end], inside[end..].strip_prefix(quote)?);
    let is_formatted = prefix.contains(['f', 'F', '$']) && value.contains('{');
    let has_expression =
        is_formatted || (quote != '\'' && (value.contains("${") || value.contains("#{")));
    let text = match (has_expression, value.contains('\\')) {
        (true, _) => without_expressions(value),
        (false, true) => value.replace("\\\"", "\"").replace("\\'", "'"),
        (false, false) => value.to_owned(),
    };
    let value = Value {
        text,
        has_expression,
        items: None,
    };
    Some((value, rest))
}

/// Replaces each expression, `{…}`, `${…}` or `#{…}`, with an ellipsis.
fn without_expressions(value: &str) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, expression)) = rest.split_once('{') {
        text.push_str(before.trim_end_matches(['$', '#']));
        text.push('…');
        rest = expression.split_once('}').map_or("", |(_, rest)| rest);
    }
    text + rest
}

/// Returns the text before the bracket that closes what is open at its start, and what follows the bracket.
pub(super) fn closed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let mut in_string = None;
    let mut is_escaped = false;
    for (at, character) in text.char_indices() {
        if let Some(quote) = in_string {
            if character == quote && !is_escaped {
                in_string = None;
            }
            is_escaped = character == '\\' && !is_escaped;
            continue;
        }
        match character {
            '"' | '`' => in_string = Some(character),
            // Lifetimes in Rust have no closing quote.
            '\'' if !text[at + 1..].starts_with(|c: char| c.is_ascii_lowercase())
                || text[at + 1..]
                    .lines()
                    .next()
                    .is_some_and(|line| line.contains('\'')) =>
            {
                in_string = Some(character);
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Splits a text at the commas that are in no brackets and no string.
pub(super) fn arguments(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    let mut in_string = None;
    for (at, character) in text.char_indices() {
        match (in_string, character) {
            (Some(quote), _) if quote == character => in_string = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => in_string = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                all.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    all.push(&text[start..]);
    all
}

/// Returns the start of a text up to a number of bytes.
pub(super) fn bounded(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Returns the end of a text of up to a number of bytes.
pub(super) fn bounded_end(text: &str, max: usize) -> &str {
    let mut start = text.len().saturating_sub(max);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// Returns whether a character belongs to a name.
pub(super) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Returns the name at the end of a text.
pub(super) fn last_word(text: &str) -> &str {
    let start = text.rfind(|c| !is_word(c)).map_or(0, |at| {
        at + text[at..].chars().next().map_or(1, char::len_utf8)
    });
    &text[start..]
}

/// Returns the positions of a whole word in a text.
pub(super) fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            !text[..*at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
        })
}
