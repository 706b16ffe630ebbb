//! Errors in `portway.toml` and `config.toml`, with their position in the file.
//!
//! A reader reports a [`Problem`] with a byte range. The caller adds the file, which makes it a
//! [`Diagnostic`].

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::suggest::suggestion;

/// A string of a TOML file with its byte range.
pub type Text = Spanned<String>;

/// An error in a TOML file: the position, the message and a help text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub file: PathBuf,
    /// The whole text of the file, for printing the lines around the error.
    pub text: String,
    /// The byte range of the error in `text`.
    pub span: Option<Range<usize>>,
    /// What is wrong, without a final period.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Adds the file to a problem.
    pub fn new(file: &Path, text: &str, problem: Problem) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            // The TOML parser may report an end one byte past the text.
            span: problem
                .span
                .map(|span| span.start.min(text.len())..span.end.min(text.len())),
            message: problem.message,
            help: problem.help,
        }
    }

    /// The line and column where the error starts, both counted from 1.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        let before = self.text.get(..self.span.as_ref()?.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Some((line, column))
    }

    /// The position as `FILE:LINE:COLUMN`, or `FILE` without a span.
    pub fn location(&self) -> String {
        match self.line_and_column() {
            Some((line, column)) => format!("{}:{line}:{column}", self.file.display()),
            None => self.file.display().to_string(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

/// An error in a TOML text, before the file is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    span: Option<Range<usize>>,
    message: String,
    help: Option<String>,
}

impl Problem {
    /// An error at these bytes.
    pub fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            message: message.into(),
            help: None,
        }
    }

    /// An error of the file as a whole, or of a value that is not in it.
    pub(crate) fn without_position(message: impl Into<String>) -> Self {
        Self {
            span: None,
            message: message.into(),
            help: None,
        }
    }

    /// Adds how to fix it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An error of the TOML parser. For an unknown key or value, the help suggests the closest
    /// known one. For a key, `hint` takes precedence: from the key and the known ones, how to fix it.
    pub(crate) fn from_toml(
        error: &toml::de::Error,
        hint: impl Fn(&str, &[&str]) -> Option<String>,
    ) -> Self {
        // serde reports unknown and missing fields as text only.
        let message = error.message().trim_end().replace('\n', "; ");
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let (message, help) = match quoted.as_slice() {
            [unknown, known @ ..] if message.starts_with("unknown field") => (
                format!("unknown key `{unknown}`"),
                hint(unknown, known).or_else(|| Some(suggestion(unknown, known.iter().copied()))),
            ),
            [unknown, known @ ..] if message.starts_with("unknown variant") => (
                format!("unknown value `{unknown}`"),
                Some(suggestion(unknown, known.iter().copied())),
            ),
            [missing] if message.starts_with("missing field") => {
                (format!("the key `{missing}` is missing"), None)
            }
            _ => (message.clone(), None),
        };
        Self {
            span: error.span(),
            message,
            help,
        }
    }
}
