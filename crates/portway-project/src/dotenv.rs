//! Parser for `.env` files: `NAME=value`, one variable a line.
//!
//! `${NAME}` and `${NAME:-default}` in unquoted and double-quoted values are expanded, as dotenv libraries
//! do; every other `$` stays, so that a password hash remains intact. In double quotes, `\n`, `\r`, `\t`,
//! `\"`, `\\` and `\$` are escapes; single quotes and backticks have none. A quoted value may span several
//! lines. `#` starts a comment at the start of a line, or after a space that follows an unquoted value.

mod expansion;

use std::collections::HashMap;

use indexmap::IndexMap;

/// Maximum length of a value, in bytes: a value that refers to others may grow with each line. Linux
/// limits one variable of a process to 128 KiB.
const MAX_VALUE: usize = 128 * 1024;

/// An invalid line of a `.env` file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct DotenvError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl DotenvError {
    /// What is wrong and how to fix it, as the predicate of a sentence whose subject is the line.
    pub fn predicate(&self) -> String {
        format!(
            "sets no variable: {}; fix the line, or put `#` before it",
            self.message
        )
    }
}

/// A line of a `.env` file that sets a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The variable's name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The line, counted from 1.
    pub line: usize,
    /// Whether every variable to which the value refers is set. A reference to another one is empty.
    pub is_complete: bool,
}

/// Returns the value of a variable that a file refers to and does not set itself.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Parses the text of a `.env` file. A later line overrides an earlier one.
///
/// # Errors
/// When a line is not blank, a comment or an assignment.
pub fn parse(text: &str, lookup: Lookup<'_>) -> Result<IndexMap<String, String>, DotenvError> {
    let (variables, errors) = parse_valid_lines(text, lookup);
    errors.into_iter().next().map_or(Ok(variables), Err)
}

/// Parses the text of a `.env` file, and returns what is wrong with the lines that are left out.
pub fn parse_valid_lines(
    text: &str,
    lookup: Lookup<'_>,
) -> (IndexMap<String, String>, Vec<DotenvError>) {
    let (assignments, errors) = assignments(text, lookup);
    let pairs = assignments.into_iter().map(|one| (one.name, one.value));
    (pairs.collect(), errors)
}

/// Returns the assignments of a `.env` file in their order, and what is wrong with the other lines.
pub fn assignments(text: &str, lookup: Lookup<'_>) -> (Vec<Assignment>, Vec<DotenvError>) {
    let mut assignments: Vec<Assignment> = Vec::new();
    let mut known: HashMap<String, String> = HashMap::new();
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
        let mut is_complete = true;
        let mut value_of = |name: &str, has_default: bool| {
            let found = known.get(name).cloned().or_else(|| lookup(name));
            is_complete &= found.is_some() || has_default;
            found
        };
        let value = match value.trim_start().chars().next() {
            Some(quote @ ('"' | '\'' | '`')) => {
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
                    expansion::expand_quoted(&inside, &mut value_of)
                } else {
                    inside
                }
            }
            _ => {
                let value = value.trim_start();
                let end = value.find(" #").or_else(|| value.find("\t#"));
                let value = value[..end.unwrap_or(value.len())].trim_end();
                expansion::expand(value, &mut value_of)
            }
        };
        if !is_name(name) {
            errors.push(fail(format!("`{name}` is not a valid variable name")));
        } else if value.contains('\0') {
            let message = format!("the value of `{name}` contains a NUL character");
            errors.push(fail(message));
        } else if value.len() > MAX_VALUE {
            let message = format!("the value of `{name}` is longer than {MAX_VALUE} bytes");
            errors.push(fail(message));
        } else {
            known.insert(name.to_owned(), value.clone());
            assignments.push(Assignment {
                name: name.to_owned(),
                value,
                line: first,
                is_complete,
            });
        }
    }
    (assignments, errors)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<IndexMap<String, String>, DotenvError> {
        super::parse(text, &|_| None)
    }

    #[test]
    fn values_are_literal() {
        let text = "\u{feff}# a comment\n\nA=1\nexport B = two words # note\nC='$x \\n'\n\
                    D=\"a\\tb \\\"q\\\"\"\nG=`'\"$x` # note\nHASH=$2b$10$abc#def\nE=\nF=\"two\nlines\"\nA=3\r\n";
        let variables = parse(text).unwrap();
        let expected = [
            ("A", "3"),
            ("B", "two words"),
            ("C", "$x \\n"),
            ("D", "a\tb \"q\""),
            ("G", "'\"$x"),
            ("HASH", "$2b$10$abc#def"),
            ("E", ""),
            ("F", "two\nlines"),
        ];
        for (name, value) in expected {
            assert_eq!(variables[name], value, "{name}");
        }
    }

    #[test]
    fn references_are_expanded() {
        let text = "HOST=db\nPORT=5432\nURL=postgres://${HOST}:${PORT}/x\nDEEP=\"<${URL}>\"\n\
                    RAW='${HOST}'\nESCAPED=\"\\${HOST}\"\nOUTER=${HOME}/x\nNONE=a${UNSET}b\n\
                    OR=${UNSET:-http://localhost:1}\nHASH=$2b$10$abc\nBARE=$HOST\nOPEN=${HOST\n\
                    ODD=${not a name}\nHOST=other";
        let (assignments, errors) =
            assignments(text, &|name| (name == "HOME").then(|| "/home/ada".into()));
        assert_eq!(errors, []);
        let value = |name: &str| {
            let found = assignments.iter().find(|one| one.name == name);
            found
                .map(|one| (one.value.as_str(), one.is_complete))
                .unwrap()
        };
        for (name, expected) in [
            ("URL", ("postgres://db:5432/x", true)),
            ("DEEP", ("<postgres://db:5432/x>", true)),
            ("RAW", ("${HOST}", true)),
            ("ESCAPED", ("${HOST}", true)),
            ("OUTER", ("/home/ada/x", true)),
            ("NONE", ("ab", false)),
            ("OR", ("http://localhost:1", true)),
            ("HASH", ("$2b$10$abc", true)),
            ("BARE", ("$HOST", true)),
            ("OPEN", ("${HOST", true)),
            ("ODD", ("${not a name}", true)),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
    }

    #[test]
    fn a_value_that_grows_without_end_is_rejected() {
        let text = format!("A=xxxxxxxx\n{}", "A=${A}${A}\n".repeat(40));
        let message = parse(&text).unwrap_err().message;
        assert_eq!(message, "the value of `A` is longer than 131072 bytes");
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
        let (variables, errors) = parse_valid_lines(text, &|_| None);
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
            "A=x${A}${A}\n".repeat(100),
            format!("A={}", "${".repeat(100_000)),
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
