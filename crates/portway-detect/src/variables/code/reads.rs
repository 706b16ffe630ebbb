//! The places where code reads a variable: `process.env.NAME`, `os.getenv("NAME"`, `ENV["NAME"]`.

use std::ops::Range;

use super::value::{bounded_end, is_word};

/// A place where code reads a variable.
#[derive(Debug)]
pub(super) struct Read<'t> {
    /// The variable.
    pub(super) name: &'t str,
    /// Where the expression starts.
    pub(super) start: usize,
    /// The index after the name and its closing quote.
    pub(super) end: usize,
    pub(super) form: Form,
}

/// How code reads a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `env.NAME`
    Member,
    /// `env["NAME"`, still open
    Index,
    /// `env("NAME"`, still open
    Call,
}

/// Maximum length of what is before a name, in bytes.
const MAX_BEFORE: usize = 120;

/// Returns the reading of the variable with its name at `name`; `None` if the name is something else.
pub(super) fn read_at<'t>(text: &'t str, name: &Range<usize>) -> Option<Read<'t>> {
    let before = bounded_end(&text[..name.start], MAX_BEFORE);
    let offset = name.start - before.len();
    // `owner` is the start of `before` up to the name that reads the variable.
    let of = |owner: &str, form, end, is_reader: &dyn Fn(&str) -> bool| {
        let callee = callee(owner);
        is_reader(&callee.to_ascii_lowercase()).then(|| Read {
            name: &text[name.clone()],
            start: offset + owner.len() - callee.len(),
            end,
            form,
        })
    };
    let is_env = |name: &str| name.ends_with("env") || name.ends_with("environ");
    if let Some(owner) = before.strip_suffix('.') {
        let owner = owner.trim_end_matches(['?', '!']);
        return of(owner, Form::Member, name.end, &is_env);
    }
    let quote = before.chars().next_back().filter(|c| "\"'`".contains(*c))?;
    if !text[name.end..].starts_with(quote) {
        return None;
    }
    let owner = before[..before.len() - 1].trim_end();
    if let Some(owner) = owner.strip_suffix('[') {
        let owner = owner.trim_end_matches(['?', '!', '.']);
        let owner = owner.strip_suffix("()").unwrap_or(owner);
        let is_reader = |name: &str| is_env(name) || name.ends_with("_server");
        return of(owner, Form::Index, name.end + 1, &is_reader);
    }
    let owner = owner.strip_suffix('(')?.trim_end();
    // `get<string>("NAME"`
    let owner = match owner.strip_suffix('>') {
        Some(generic) => generic.rsplit_once('<')?.0,
        None => owner,
    };
    // `Config(".env")("NAME"`
    let made = owner
        .strip_suffix(')')
        .and_then(|made| made.rsplit_once('('));
    let owner = made.map_or(owner, |(callee, _)| callee);
    let owner = owner.strip_suffix("().getOrDefault").unwrap_or(owner);
    let is_reader = |name: &str| {
        name.contains("env") || name.contains("config") || name == "var" || name.ends_with("::var")
    };
    of(owner, Form::Call, name.end + 1, &is_reader)
}

/// Returns the name with its owners at the end of a text: `process.env`, `std::env::var`.
fn callee(text: &str) -> &str {
    let is_part = |c: char| is_word(c) || ".:?!$".contains(c);
    let start = text.rfind(|c| !is_part(c)).map_or(0, |at| {
        at + text[at..].chars().next().map_or(1, char::len_utf8)
    });
    text[start..].trim_start_matches(['!', '?', '.'])
}

/// Returns the places of names in upper case in a line.
pub(super) fn upper_names(line: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let bytes = line.as_bytes();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            if !is_part(bytes[at]) {
                at += 1;
                continue;
            }
            let start = at;
            let mut is_upper = bytes[at].is_ascii_uppercase();
            while at < bytes.len() && is_part(bytes[at]) {
                is_upper &= !bytes[at].is_ascii_lowercase();
                at += 1;
            }
            if is_upper && at - start > 1 {
                return Some(start..at);
            }
        }
        None
    })
}
