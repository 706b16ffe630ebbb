//! An error in `portway.toml`, with its place.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Something in a manifest that cannot be, where it stands, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The manifest.
    pub file: PathBuf,
    /// Its whole text, for showing the place.
    pub text: String,
    /// The bytes of the text that are wrong.
    pub span: Option<Range<usize>>,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Invalid {
    pub(crate) fn new(file: &Path, text: &str, problem: Problem) -> Self {
        Self {
            file: file.to_owned(),
            text: text.to_owned(),
            // The end of the text may be reported as one past it.
            span: problem
                .span
                .map(|span| span.start.min(text.len())..span.end.min(text.len())),
            message: problem.message,
            help: problem.help,
        }
    }

    /// The line and column of the place, both from 1.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        let before = self.text.get(..self.span.as_ref()?.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Some((line, column))
    }

    /// `FILE:LINE:COLUMN`.
    pub fn place(&self) -> String {
        match self.line_and_column() {
            Some((line, column)) => format!("{}:{line}:{column}", self.file.display()),
            None => self.file.display().to_string(),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}

/// What is wrong, before it is known in which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(crate) span: Option<Range<usize>>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Problem {
    pub(crate) fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The problem that the TOML reader found, with the nearest known key for an unknown one.
    pub(crate) fn from_toml(error: &toml::de::Error) -> Self {
        let message = error.message().trim_end().replace('\n', "; ");
        let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let (message, help) = match words.as_slice() {
            [unknown, known @ ..] if message.starts_with("unknown field") => (
                format!("unknown key `{unknown}`"),
                Some(crate::nearest::suggestion(unknown, known.iter().copied())),
            ),
            [unknown, known @ ..] if message.starts_with("unknown variant") => (
                format!("unknown value `{unknown}`"),
                Some(crate::nearest::suggestion(unknown, known.iter().copied())),
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
