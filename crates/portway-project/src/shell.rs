//! Quoting for a POSIX shell.

use std::borrow::Cow;

/// Quotes `text` as one word of a shell command, unless it is one already. No command and no variable
/// can contain a NUL character, the only one that cannot be quoted.
#[must_use]
pub fn quote(text: &str) -> Cow<'_, str> {
    let quoter = shlex::Quoter::new().allow_nul(true);
    quoter.quote(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_words_if_needed() {
        for (word, expected) in [
            ("a-b/c.py", "a-b/c.py"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(x)", "'$(x)'"),
            ("fastapi[standard]>=1", "'fastapi[standard]>=1'"),
            ("it's", "\"it's\""),
        ] {
            assert_eq!(quote(word), expected);
        }
    }
}
