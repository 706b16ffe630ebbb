//! What Portway puts into a file, and takes out again.

/// Why a file cannot be changed. It stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The cause, as a clause.
    pub(crate) message: String,
    /// The line of the cause, from 1.
    pub(crate) line: Option<usize>,
    /// The column of the cause, from 1.
    pub(crate) column: Option<usize>,
    /// How to change that, as an imperative.
    pub(crate) help: String,
}

/// Portway's part of a file.
pub(crate) trait Part {
    /// Returns the text of a file with this part, added or updated; the rest stays as it is.
    fn put(&self, text: Option<&str>) -> Result<String, Problem>;

    /// Returns the text without this part, or `None` if nothing else is in the file.
    fn take(&self, text: &str) -> Result<Option<String>, Problem>;
}

/// A whole file, recognized by a line in it.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) text: String,
    /// A part of the text that no other file contains.
    pub(crate) mark: &'static str,
}

impl Part for Whole {
    fn put(&self, text: Option<&str>) -> Result<String, Problem> {
        match text {
            Some(text) if !text.contains(self.mark) && !text.trim().is_empty() => Err(Problem {
                message: "it exists, and Portway did not write it".to_owned(),
                line: None,
                column: None,
                help: "move it away".to_owned(),
            }),
            _ => Ok(self.text.clone()),
        }
    }

    fn take(&self, text: &str) -> Result<Option<String>, Problem> {
        Ok((!text.contains(self.mark)).then(|| text.to_owned()))
    }
}
