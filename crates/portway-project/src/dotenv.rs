//! Parser for `.env` files: `NAME=value`, one variable a line.
//!
//! Values are literal: `$` is not expanded, so that a password hash stays intact. In double quotes,
//! `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are escapes; single quotes have none. A quoted value may
//! span several lines. `#` starts a comment at the start of a line, or after a space that follows
//! an unquoted value.

use indexmap::IndexMap;

/// An invalid line of a `.env` file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct DotenvError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Parses the text of a `.env` file. A later line overrides an earlier one.
///
/// # Errors
/// When a line is not blank, a comment or an assignment.
pub fn parse(text: &str) -> Result<IndexMap<String, String>, DotenvError> {
    let (variables, errors) = parse_valid_lines(text);
    errors.into_iter().next().map_or(Ok(variables), Err)
}

/// Parses the text of a `.env` file, and returns what is wrong with the lines that are left out.
pub fn parse_valid_lines(text: &str) -> (IndexMap<String, String>, Vec<DotenvError>) {
    let mut variables = IndexMap::new();
    let mut errors = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let first = number;
        let fail = |message: String| DotenvError {
            line: first,
            message,
        };
        let here = rest.trim_start_matches([' ', '\t', '\r']);
        let (line, below) = here.split_once('\n').unwrap_or((here, ""));
        rest = below;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let exported = "export ".len() * usize::from(line.starts_with("export "));
        let Some((name, value)) = line[exported..].split_once('=') else {
            let line = line.trim_end();
            errors.push(fail(format!(
                "`{line}` does not have the form `NAME=value`"
            )));
            continue;
        };
        let from_value = &here[exported + name.len() + 1..];
        let name = name.trim();
        let value = match value.trim_start().chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let quoted = &from_value.trim_start()[1..];
                let Some(end) = closing_quote(quoted, quote) else {
                    errors.push(fail(format!("the closing {quote} is missing")));
                    continue;
                };
                let (inside, after) = (&quoted[..end], &quoted[end + 1..]);
                number += inside.matches('\n').count();
                rest = after.split_once('\n').map_or("", |(_, below)| below);
                let inside = inside.replace("\r\n", "\n");
                if quote == '"' {
                    unescape(&inside)
                } else {
                    inside
                }
            }
            _ => {
                let value = value.trim_start();
                let end = value.find(" #").or_else(|| value.find("\t#"));
                value[..end.unwrap_or(value.len())].trim_end().to_owned()
            }
        };
        if !is_name(name) {
            errors.push(fail(format!("`{name}` is not a valid variable name")));
        } else if value.contains('\0') {
            let message = format!("the value of `{name}` contains a NUL character");
            errors.push(fail(message));
        } else {
            variables.insert(name.to_owned(), value);
        }
    }
    (variables, errors)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.')
}

/// The index of the closing quote. In double quotes, an escaped quote does not close.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
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
    fn values_are_literal() {
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
    fn line_numbers_include_multiline_values() {
        let text = "A=\"one\r\ntwo\" # note\r\n\tB='x\n\n'\nC";
        assert_eq!(
            parse(text).unwrap_err().to_string(),
            "line 6: `C` does not have the form `NAME=value`"
        );
        let variables = parse(&text[..text.len() - 1]).unwrap();
        assert_eq!(variables["A"], "one\ntwo");
        assert_eq!(variables["B"], "x\n\n");
        assert_eq!(parse("A= \nB='").unwrap_err().line, 2);
    }

    #[test]
    fn valid_lines_are_used_beside_invalid_ones() {
        let text = "A=1\nSSH_AUTH_SOCK\nmy-key=\"2\n3\"\nB=2\nC='x\nD=4";
        let (variables, errors) = parse_valid_lines(text);
        let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [2, 3, 6]);
        assert_eq!(variables.len(), 3);
        assert_eq!((&variables["A"][..], &variables["D"][..]), ("1", "4"));
    }

    #[test]
    fn parsing_time_is_linear() {
        for text in [
            "A='\n".to_owned() + &"x\n".repeat(500_000),
            "A='\n'\n".repeat(100_000),
        ] {
            let _ = parse(&text);
        }
    }

    #[test]
    fn an_invalid_line_is_rejected_with_its_number() {
        assert_eq!(
            parse("A=1\nnonsense").unwrap_err().to_string(),
            "line 2: `nonsense` does not have the form `NAME=value`"
        );
        assert_eq!(
            parse("1A=1").unwrap_err().to_string(),
            "line 1: `1A` is not a valid variable name"
        );
        assert_eq!(
            parse("A=\"x\n").unwrap_err().to_string(),
            "line 1: the closing \" is missing"
        );
        assert_eq!(
            parse("A=1\nB=x\0").unwrap_err().to_string(),
            "line 2: the value of `B` contains a NUL character"
        );
    }
}
