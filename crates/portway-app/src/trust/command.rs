//! Running the programs that change and list stores.

use std::io;
use std::process::{Command, Output, Stdio};

pub(super) fn run(words: &[String]) -> io::Result<Output> {
    let [program, arguments @ ..] = words else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
}

/// What a program said last, or how it ended.
pub(super) fn last_line(output: &Output) -> String {
    let both = [&output.stderr, &output.stdout];
    let said = both.into_iter().find_map(|stream| {
        let text = String::from_utf8_lossy(stream).into_owned();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.next_back().map(str::to_owned)
    });
    said.unwrap_or_else(|| output.status.to_string())
}
