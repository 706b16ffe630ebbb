//! Runs the programs that change and list trust stores.

use std::io;
use std::process::{Command, Output, Stdio};

/// A trust store could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// A program could not be started.
    #[error("`{program}`: {source}")]
    Start { program: String, source: io::Error },
    /// A program failed. The text is the last line of its output.
    #[error("{0}")]
    Program(String),
    /// A file could not be read or changed.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The roots of this store cannot be listed.
    #[error("Portway can only find a CA whose serial number it knows")]
    NotListable,
    /// A step of a change failed.
    #[error("`{command}` failed: {source}")]
    Action {
        command: String,
        source: Box<StoreError>,
    },
    /// Every step succeeded, without an effect.
    #[error("the commands succeeded but did not change the store")]
    Unchanged,
    /// The store could not be read after a change.
    #[error("cannot read the store: {0}")]
    Unreadable(#[source] Box<StoreError>),
}

/// Runs a program with its arguments and collects its output.
pub(super) fn run(command: &[String]) -> io::Result<Output> {
    let [program, arguments @ ..] = command else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
}

/// Returns the last line of a program's output, or its exit status if it printed nothing.
pub(super) fn last_line(output: &Output) -> String {
    let streams = [&output.stderr, &output.stdout];
    let line = streams.into_iter().find_map(|stream| {
        let text = String::from_utf8_lossy(stream).into_owned();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.next_back().map(str::to_owned)
    });
    line.unwrap_or_else(|| output.status.to_string())
}
