//! Declarations of variables with a default: schemas of zod, envalid and Joi, options of command-line
//! parsers that read a variable, and tags of structs in Go.

use std::ops::Range;

use super::fallback::named;
use super::value::{Value, bounded, bounded_end, closed, is_word, last_word, value};

/// Maximum length of a declaration, in bytes.
const MAX: usize = 600;

/// Names of keys and arguments whose value is the variable of an option.
const KEYS: [&str; 7] = [
    "env",
    "envvar",
    "envVar",
    "env_var",
    "alias",
    "validation_alias",
    "environment",
];

/// Returns the default of the variable with its name at `name`, if that is where it is declared.
pub(super) fn default_of(text: &str, name: &Range<usize>) -> Option<Value> {
    let before = &text[..name.start];
    let rest = bounded(&text[name.end..], MAX);
    key(before, rest)
        .or_else(|| tag(before, rest))
        .or_else(|| option(text, name))
        .or_else(|| tuple(before, rest))
}

/// `NAME: z.string().default("…")`, `NAME: url({ default: "…" })`, `NAME: { type: "string", default: "…" }`
fn key(before: &str, rest: &str) -> Option<Value> {
    let quote = before.chars().next_back().filter(|c| "\"'".contains(*c));
    let (before, rest) = match quote {
        Some(quote) => (&before[..before.len() - 1], rest.strip_prefix(quote)?),
        None => (before, rest),
    };
    let declares = before
        .trim_end_matches([' ', '\t'])
        .ends_with(['\n', '{', ','])
        || before.trim().is_empty();
    let declared = rest
        .trim_start()
        .strip_prefix(':')
        .filter(|_| declares)?
        .trim_start();
    if let Some(object) = declared.strip_prefix('{') {
        let (inside, _) = closed(object)?;
        return named(inside).filter(|_| inside.contains("type"));
    }
    let start = declared.find(|c| !is_word(c))?;
    if start == 0 || !declared[start..].trim_start().starts_with(['.', '(']) {
        return None;
    }
    let expression = expression(declared);
    let reads = expression.contains("env.") || expression.contains("environ");
    named(expression).filter(|_| !reads && !expression.starts_with("env"))
}

/// Returns the expression at the start of a text, up to a comma or the end of what it is in. Its methods may
/// be on lines of their own.
fn expression(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut in_string = None;
    for (at, character) in text.char_indices() {
        match (in_string, character) {
            (Some(quote), _) if quote == character => in_string = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => in_string = Some(character),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}' | ',' | ';') if depth == 0 => return &text[..at],
            (None, ')' | ']' | '}') => depth -= 1,
            (None, '\n') if depth == 0 && !text[at..].trim_start().starts_with('.') => {
                return &text[..at];
            }
            _ => {}
        }
    }
    text
}

/// `Port string `env:"NAME" envDefault:"…"``, and the spellings of other libraries.
fn tag(before: &str, rest: &str) -> Option<Value> {
    const NAMES: [&str; 3] = ["envDefault:\"", "env-default:\"", "default:\""];
    let is_tag = before.ends_with("env:\"") || before.ends_with("envconfig:\"");
    let rest = rest.lines().next().filter(|_| is_tag)?;
    let (options, more) = rest.split_once('"')?;
    let own = options.split_once("default=").map(|(_, own)| own);
    let own = own.or_else(|| {
        let other = NAMES.iter().find_map(|name| more.split_once(name))?;
        other.1.split('"').next()
    });
    let text = own.filter(|own| !own.is_empty())?.to_owned();
    Some(Value {
        text,
        ..Value::default()
    })
}

/// `#[arg(env = "NAME", default_value = "…")]`, `{ default: 3000, env: 'NAME' }`, `Option(3000, envvar="NAME")`
fn option(text: &str, name: &Range<usize>) -> Option<Value> {
    let before = bounded_end(&text[..name.start], MAX);
    let quote = before.chars().next_back().filter(|c| "\"'".contains(*c))?;
    let key = before[..before.len() - 1]
        .trim_end()
        .strip_suffix([':', '='])?
        .trim_end();
    if !KEYS.contains(&last_word(key)) || !text[name.end..].starts_with(quote) {
        return None;
    }
    let mut depth = 0_usize;
    let (open, _) = key.char_indices().rev().find(|(_, c)| {
        match c {
            ')' | '}' | ']' => depth += 1,
            '(' | '{' | '[' if depth == 0 => return true,
            '(' | '{' | '[' => depth -= 1,
            _ => {}
        }
        false
    })?;
    let start = name.start - before.len() + open + 1;
    let (inside, _) = closed(bounded(&text[start..], 2 * MAX))?;
    let callee = last_word(&key[..open]);
    named(inside).or_else(|| {
        ["Option", "Argument", "Field"]
            .contains(&callee)
            .then(|| value(inside))
            .flatten()
    })
}

/// `Env(NAME=(str, "…"))`
fn tuple(before: &str, rest: &str) -> Option<Value> {
    let inside = rest.strip_prefix("=(")?;
    let before = before.trim_end().ends_with(['(', ',']);
    let (_, found) = inside.split_once(',').filter(|_| before)?;
    value(found)
}
