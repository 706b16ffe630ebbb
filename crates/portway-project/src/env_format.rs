//! Environment variables as other programs read them.

use indexmap::IndexMap;

/// A way to write variables down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvFormat {
    /// `export NAME='value'`, for `eval "$(…)"` in a POSIX shell.
    Shell,
    /// `NAME="value"`, as `.env` files have it.
    Dotenv,
    /// One JSON object.
    Json,
}

impl EnvFormat {
    /// Writes the variables, each on a line of its own.
    pub fn write(self, variables: &IndexMap<String, String>) -> String {
        let mut text = String::new();
        match self {
            Self::Shell => {
                for (name, value) in variables {
                    // In single quotes a POSIX shell takes everything but the quote as it is.
                    let value = value.replace('\'', r"'\''");
                    text.push_str(&format!("export {name}='{value}'\n"));
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

/// Bare where every reader agrees, otherwise in double quotes with escapes.
fn dotenv_value(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.,:/@%+".contains(&b);
    if value.bytes().all(plain) {
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
    use crate::env_file;

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
    fn dotenv_reads_back() {
        let text = EnvFormat::Dotenv.write(&variables());
        assert_eq!(env_file::parse(&text).unwrap(), variables());
    }

    #[test]
    fn shell_quotes_everything() {
        let text = EnvFormat::Shell.write(&variables());
        assert!(text.starts_with("export URL='http://localhost:9000'\n"));
        assert!(text.contains(r#"export ODD='it'\''s "$x""#));
    }

    #[test]
    fn json_is_an_object() {
        let text = EnvFormat::Json.write(&variables());
        let back: IndexMap<String, String> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, variables());
    }
}
