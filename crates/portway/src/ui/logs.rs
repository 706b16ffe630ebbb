//! Prints log lines with a prefix and a color per service.

use anstyle::{AnsiColor, Style};
use portway_api::{LogRecord, LogStream};

use super::sanitize::sanitize;
use super::{DIM, out, styled};

/// Colors of services. Red and yellow are reserved for problems.
const COLORS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightMagenta,
];

/// Prints one line of an instance with these services; their order determines their colors. Returns
/// false after the reader has closed the stream.
pub(super) fn log(services: &[String], record: &LogRecord) -> bool {
    out(&line(services, record))
}

fn line(services: &[String], record: &LogRecord) -> String {
    let index = services.iter().position(|name| *name == record.service);
    let color = COLORS[index.unwrap_or(0) % COLORS.len()];
    let width = services.iter().map(String::len).max().unwrap_or(0);
    let prefix = format!("{:width$} │", record.service);
    let prefix = styled(Style::new().fg_color(Some(color.into())), &prefix);
    let text = sanitize(&record.text, super::stdout_is_colored());
    match record.stream {
        LogStream::Portway => format!("{prefix} {}\n", styled(DIM, &format!("· {text}"))),
        LogStream::Out | LogStream::Err => format!("{prefix} {text}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_lines_of_different_services() {
        let names = ["backend".to_owned(), "ui".to_owned()];
        let line = |service: &str| {
            let record = LogRecord {
                time: 0,
                number: 0,
                service: service.into(),
                stream: LogStream::Out,
                text: "x\x1b[2J".into(),
            };
            sanitize(super::line(&names, &record).trim_end(), false)
        };
        assert_eq!(line("backend"), "backend │ x");
        assert_eq!(line("ui"), "ui      │ x");
    }
}
