//! Runs the programs that change and list trust stores.

use std::io;
use std::process::{Command, Output, Stdio};

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
