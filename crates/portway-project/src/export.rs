//! Writing environment variables for other programs.

use indexmap::IndexMap;

use crate::shell::quote;

/// An output format for environment variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// `export NAME=value` with shell quoting, for `eval "$(…)"` in a POSIX shell.
    Shell,
    /// `NAME=value` as in `.env` files.
    Dotenv,
    /// One JSON object.
    Json,
}

impl ExportFormat {
    /// Formats the variables, one a line.
    pub fn format(self, variables: &IndexMap<String, String>) -> String {
        let mut text = String::new();
        match self {
            Self::Shell => {
                for (name, value) in variables {
                    text.push_str(&format!("export {name}={}\n", quote(value)));
                }
            }
            Self::Dotenv => {
                for (name, value) in variables {
                    text.push_str(&format!("{name}={}\n", dotenv_value(value)));
                }
            }
            Self::Json => {
                text = serde_json::to_string_pretty(variables).unwrap_or_default();
                text.push('\n');
            }
        }
        text
    }
}

/// Quotes a value for `.env` files, unless every parser reads it the same way without quotes.
fn dotenv_value(value: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.,:/@%+".contains(&b);
    if value.bytes().all(is_plain) {
        return value.to_owned();
    }
    let escaped = value
        .replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace('$', r"\$")
        .replace('\n', r"\n")
        .replace('\r', r"\r");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dotenv;

    fn variables() -> IndexMap<String, String> {
        [
            ("URL", "http://localhost:9000"),
            ("ODD", "it's \"$x\"\n\\"),
            ("EMPTY", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn the_dotenv_format_reads_back() {
        let text = ExportFormat::Dotenv.format(&variables());
        assert_eq!(dotenv::parse(&text, &|_| None).unwrap(), variables());
    }

    #[test]
    fn the_shell_format_reads_back() {
        let text = ExportFormat::Shell.format(&variables());
        assert!(text.starts_with("export URL="));
        let words = shlex::split(&text).unwrap();
        let assignments = words.iter().filter(|word| *word != "export");
        let back: Vec<_> = assignments
            .map(|word| word.split_once('=').unwrap())
            .collect();
        let expected = variables();
        let expected: Vec<_> = expected
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(back, expected);
    }

    #[test]
    fn the_json_format_is_an_object() {
        let text = ExportFormat::Json.format(&variables());
        let back: IndexMap<String, String> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, variables());
    }
}
