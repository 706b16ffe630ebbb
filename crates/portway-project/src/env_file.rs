//! Files of environment variables: `NAME=value`, one a line.
//!
//! Values are taken as they are: `$` is never expanded, so that a password hash survives. Single
//! quotes keep everything; double quotes know `\n`, `\t`, `\"` and `\\`; `#` begins a comment at
//! the start of a line, or behind a blank after an unquoted value.

use indexmap::IndexMap;

/// A line that is no assignment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct EnvFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Reads the text of a file of variables; a later line wins over an earlier one.
///
/// # Errors
/// The first line that is neither blank, a comment nor an assignment.
pub fn parse(text: &str) -> Result<IndexMap<String, String>, EnvFileError> {
    let mut variables = IndexMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let fail = |message: String| EnvFileError {
            line: index + 1,
            message,
        };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| fail(format!("`{}` is no `NAME=value`", line.trim_end())))?;
        let name = name.trim();
        if !is_name(name) {
            return Err(fail(format!("`{name}` is not the name of a variable")));
        }
        let value = value.trim_start();
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let mut quoted = value[1..].to_owned();
                // A quoted value may go on over several lines.
                while end_of(&quoted, quote).is_none() {
                    let (_, more) = lines
                        .next()
                        .ok_or_else(|| fail(format!("the {quote} is never closed")))?;
                    quoted.push('\n');
                    quoted.push_str(more);
                }
                let end = end_of(&quoted, quote).unwrap_or(quoted.len());
                if quote == '"' {
                    unescape(&quoted[..end])
                } else {
                    quoted[..end].to_owned()
                }
            }
            _ => {
                let end = value.find(" #").or_else(|| value.find("\t#"));
                value[..end.unwrap_or(value.len())].trim_end().to_owned()
            }
        };
        variables.insert(name.to_owned(), value);
    }
    Ok(variables)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

/// Where the closing quote stands, not counting escaped ones in double quotes.
fn end_of(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices()
        .find(|&(_, character)| {
            let closes = character == quote && !escaped;
            escaped = quote == '"' && character == '\\' && !escaped;
            closes
        })
        .map(|(index, _)| index)
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some(other @ ('"' | '\\' | '$')) => plain.push(other),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_they_are() {
        let text = "\u{feff}# a comment\n\nA=1\nexport B = two words # note\nC='$x \\n'\n\
                    D=\"a\\tb \\\"q\\\"\"\nHASH=$2b$10$abc#def\nE=\nF=\"two\nlines\"\nA=3\r\n";
        let variables = parse(text).unwrap();
        let expected = [
            ("A", "3"),
            ("B", "two words"),
            ("C", "$x \\n"),
            ("D", "a\tb \"q\""),
            ("HASH", "$2b$10$abc#def"),
            ("E", ""),
            ("F", "two\nlines"),
        ];
        for (name, value) in expected {
            assert_eq!(variables[name], value, "{name}");
        }
    }

    #[test]
    fn what_is_no_assignment_is_named_with_its_line() {
        assert_eq!(
            parse("A=1\nnonsense").unwrap_err().to_string(),
            "line 2: `nonsense` is no `NAME=value`"
        );
        assert_eq!(
            parse("1A=1").unwrap_err().to_string(),
            "line 1: `1A` is not the name of a variable"
        );
        assert_eq!(
            parse("A=\"x\n").unwrap_err().to_string(),
            "line 1: the \" is never closed"
        );
    }
}
