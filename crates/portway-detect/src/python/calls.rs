//! Calls in Python source, and their arguments.

use super::source::is_identifier;

/// A call: its line, whether it stands at the top level, and its arguments.
pub(super) struct Call<'t> {
    pub(super) line: usize,
    pub(super) is_top: bool,
    pub(super) arguments: Vec<&'t str>,
}

/// Maximum length of the arguments of a call, in bytes.
const MAX_CALL: usize = 4000;

/// Returns the first call of `name` in a file that is neither a definition nor a comment.
pub(super) fn call<'t>(text: &'t str, name: &str) -> Option<Call<'t>> {
    let with_paren = format!("{name}(");
    text.match_indices(&with_paren).find_map(|(at, _)| {
        let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let before = &text[start..at];
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let lead = before.trim_start();
        // They run something else than a server.
        let is_other = ["subprocess.", "asyncio."]
            .iter()
            .any(|one| name == "run" && before.ends_with(one))
            || before.ends_with(is_part)
            || before.contains('#')
            || ["def ", "class ", "async def ", "from ", "import "]
                .iter()
                .any(|word| lead.starts_with(word));
        let open = at + name.len();
        let inner = balanced(&text[open..]).filter(|_| !is_other)?;
        Some(Call {
            line: text[..at].matches('\n').count() + 1,
            is_top: !before.starts_with([' ', '\t']),
            arguments: split(inner),
        })
    })
}

/// Returns the text inside the brackets that `text` starts with.
pub(super) fn balanced(text: &str) -> Option<&str> {
    let mut depth = 0;
    let mut quote = None;
    let mut is_escaped = false;
    for (at, character) in text.char_indices().take_while(|(at, _)| *at < MAX_CALL) {
        if let Some(open) = quote {
            if character == open && !is_escaped {
                quote = None;
            }
            is_escaped = character == '\\' && !is_escaped;
            continue;
        }
        match character {
            '"' | '\'' => quote = Some(character),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(&text[1..at]);
                }
            }
            _ => {}
        }
    }
    None
}

/// Splits arguments at commas outside brackets and quotes.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0, None);
    for (at, character) in text.char_indices() {
        match (character, quote) {
            (_, Some(open)) if character == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'', None) => quote = Some(character),
            ('(' | '[' | '{', None) => depth += 1,
            (')' | ']' | '}', None) => depth -= 1,
            (',', None) if depth == 0 => {
                all.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    all.push(text[start..].trim());
    all.retain(|one| !one.is_empty());
    all
}

impl<'t> Call<'t> {
    /// Returns the argument with this keyword.
    pub(super) fn keyword(&self, name: &str) -> Option<&'t str> {
        self.arguments.iter().find_map(|argument| {
            let (key, value) = argument.split_once('=')?;
            (key.trim() == name && !value.starts_with('=')).then(|| value.trim())
        })
    }

    /// Returns the positional argument with this index.
    pub(super) fn positional(&self, index: usize) -> Option<&'t str> {
        let argument = self.arguments.get(index)?;
        let key = argument.split_once('=').map(|(key, _)| key.trim());
        (!key.is_some_and(is_identifier)).then_some(*argument)
    }
}

/// Returns the last part of a pair in brackets: `("", 8000)`.
pub(super) fn last_of_pair(text: &str) -> Option<&str> {
    let inner = balanced(text).filter(|_| text.starts_with('('))?;
    split(inner).into_iter().nth(1)
}
