//! Log lines: a prefix and a colour per service.

use anstyle::{AnsiColor, Style};
use portway_api::{LogRecord, LogStream};

use super::sanitize::sanitize;
use super::{DIM, out, styled};

/// The colours that tell services apart; red and yellow are kept for trouble.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightMagenta,
];

/// Prints the lines of one instance.
pub(crate) struct LogPrinter {
    services: Vec<String>,
    width: usize,
    json: bool,
}

impl LogPrinter {
    /// A printer for these services, whose order gives them their colours.
    pub(crate) fn new(services: &[String], json: bool) -> Self {
        Self {
            width: services.iter().map(String::len).max().unwrap_or(0),
            services: services.to_vec(),
            json,
        }
    }

    /// Prints one line. False when nobody reads it any more.
    pub(crate) fn print(&self, record: &LogRecord) -> bool {
        out(&if self.json {
            let line = serde_json::to_string(record).unwrap_or_default();
            format!("{line}\n")
        } else {
            self.line(record)
        })
    }

    fn line(&self, record: &LogRecord) -> String {
        let index = self
            .services
            .iter()
            .position(|name| *name == record.service);
        let colour = COLOURS[index.unwrap_or(0) % COLOURS.len()];
        let prefix = format!("{:width$} │", record.service, width = self.width);
        let prefix = styled(Style::new().fg_color(Some(colour.into())), &prefix);
        let text = sanitize(&record.text, super::stdout_is_coloured());
        match record.stream {
            LogStream::Portway => format!("{prefix} {}\n", styled(DIM, &format!("· {text}"))),
            LogStream::Out | LogStream::Err => format!("{prefix} {text}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_different_services_are_aligned() {
        let names = ["backend".to_owned(), "ui".to_owned()];
        let printer = LogPrinter::new(&names, false);
        let line = |service: &str| {
            let record = LogRecord {
                time: 0,
                number: 0,
                service: service.into(),
                stream: LogStream::Out,
                text: "x\x1b[2J".into(),
            };
            sanitize(printer.line(&record).trim_end(), false)
        };
        assert_eq!(line("backend"), "backend │ x");
        assert_eq!(line("ui"), "ui      │ x");
    }
}
