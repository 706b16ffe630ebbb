//! The only module that prints: results on standard output, messages on standard error.
//!
//! Colors and animation appear only on a terminal, and not with `CI` or `NO_COLOR`, unless a
//! preference says otherwise. A reader that closes its end (`portway ps | head`) is not an error.

pub(crate) mod changes;
mod discovered;
mod doctor;
mod files;
mod health;
mod leases;
mod logs;
mod plan;
mod ports;
mod preferences;
mod progress;
mod sanitize;
mod status;
mod table;
mod terminal;
mod trust;

use std::io::{self, IsTerminal, Write};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use portway_api::ErrorCode;
use portway_app::error::CommandError;
use portway_project::preferences::ColorChoice;

pub(crate) use discovered::discovered;
pub(crate) use doctor::diagnosis;
pub(crate) use files::file_changes;
pub(crate) use health::{health, health_update};
pub(crate) use leases::{leases, pruned, released_leases};
pub(crate) use plan::{detected, explained_variables, project_plan};
pub(crate) use ports::{free_plan, freed, port_table, ports};
pub(crate) use preferences::{explained, preferences};
pub(crate) use sanitize::is_printable;
pub(crate) use status::{
    allocation, displacement_warnings, forwarded, forwards, gateway, instances, port_warnings,
    summary,
};
pub(crate) use terminal::Terminal;
pub(crate) use trust::{trust_plan, trusted};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const RED: Style = AnsiColor::Red.on_default();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// Applies a style. [`out`] and [`message`] remove it if colors are disabled.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The user's choice of colors, set once at the start.
static COLOR: OnceLock<ColorChoice> = OnceLock::new();

/// Sets the user's choice. Only the first call has an effect.
pub(crate) fn set_color(color: ColorChoice) {
    // Later calls are ignored.
    let _ = COLOR.set(color);
}

/// Returns whether a stream gets colors.
fn is_colored(stream: &impl IsTerminal) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let in_terminal = || {
        stream.is_terminal()
            && !set("CI")
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    };
    match COLOR.get() {
        Some(ColorChoice::Always) => true,
        Some(ColorChoice::Never) => false,
        Some(ColorChoice::Auto) => in_terminal(),
        // The preferences could not be read.
        None => !set("NO_COLOR") && (set("CLICOLOR_FORCE") || in_terminal()),
    }
}

fn choice(stream: &impl IsTerminal) -> anstream::ColorChoice {
    if is_colored(stream) {
        anstream::ColorChoice::Always
    } else {
        anstream::ColorChoice::Never
    }
}

/// Returns whether standard output gets colors.
pub(crate) fn stdout_is_colored() -> bool {
    is_colored(&io::stdout())
}

/// Returns whether a user can answer questions.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal()
        && io::stderr().is_terminal()
        && std::env::var_os("CI").is_none_or(|value| value.is_empty())
}

/// Prints to standard output. Returns false after the reader has closed the stream.
pub(crate) fn out(text: &str) -> bool {
    write_out(&sanitize::composed(text))
}

/// Prints a value for a program to standard output: unchanged, except on a terminal. Returns false
/// after the reader has closed the stream.
pub(crate) fn exact(text: &str) -> bool {
    match io::stdout().is_terminal() {
        true => out(text),
        false => write_out(text),
    }
}

/// Prints output of a service to which this terminal is attached, as it arrives. If the service has no
/// terminal itself, only its colors reach this one. Returns false after the reader has closed the stream.
#[cfg(unix)]
pub(crate) fn console(bytes: &[u8], is_terminal: bool) -> bool {
    let mut stdout = io::stdout().lock();
    let written = if is_terminal || !stdout.is_terminal() {
        stdout.write_all(bytes)
    } else {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split('\n').map(|line| {
            let line = line.strip_suffix('\r').unwrap_or(line);
            sanitize::sanitize(line, is_colored(&stdout))
        });
        let lines: Vec<String> = lines.collect();
        stdout.write_all(lines.join("\n").as_bytes())
    };
    written.and_then(|()| stdout.flush()).is_ok()
}

fn write_out(text: &str) -> bool {
    let stdout = io::stdout();
    let choice = choice(&stdout);
    let mut stream = AutoStream::new(stdout.lock(), choice);
    let written = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush());
    written.is_ok()
}

/// Prints a value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> bool {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    write_out(&sanitize::json(&text))
}

/// Prints a value as one line of JSON.
pub(crate) fn json_line(value: &impl serde::Serialize) -> bool {
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    write_out(&sanitize::json(&text))
}

/// Prints a message on standard error.
pub(crate) fn message(text: &str) {
    let stderr = io::stderr();
    let choice = choice(&stderr);
    let mut stream = AutoStream::new(stderr.lock(), choice);
    // There is no other place to report this failure.
    let _ = stream.write_all(sanitize::composed(text).as_bytes());
}

/// Prints what a command waits for, or another fact, on standard error.
pub(crate) fn notice(text: &str) {
    message(&format!("{}\n", sanitize::sanitize(text, false)));
}

/// Removes colors and all other control sequences from the output of a service.
pub(crate) fn without_controls(text: &str) -> String {
    sanitize::sanitize(text, false)
}

/// Prints a warning on standard error.
pub(crate) fn warning(text: &str) {
    message(&format!("{} {text}\n", styled(YELLOW.bold(), "warning:")));
}

/// Asks a question and returns whether the answer is yes. The default is no.
pub(crate) fn confirm(question: &str) -> bool {
    message(&format!("{question} [y/N] "));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Prints an error on standard error, or as JSON on standard output.
pub(crate) fn error(error: &CommandError, as_json: bool) {
    if error.is_silent() {
        return;
    }
    if as_json {
        json(&error.body());
        return;
    }
    if error.is_reported() {
        return;
    }
    let mut text = match &error.source_text {
        Some(invalid) if invalid.span.is_some() => snippet(invalid),
        _ => {
            let mut text = format!(
                "{} {}\n",
                styled(RED.bold(), "error:"),
                sanitize::lines(&error.text())
            );
            for hint in &error.info.hints {
                let hint = sanitize::lines(hint);
                text.push_str(&format!("{} {hint}\n", styled(CYAN.bold(), "help:")));
            }
            text
        }
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    message(&text);
}

/// Prints an error of the command line, and returns the exit code.
pub(crate) fn usage_error(usage: &clap::Error, as_json: bool) -> u8 {
    if as_json {
        let first = usage.to_string();
        let first = first.lines().next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        let error = CommandError::new(ErrorCode::Usage, message);
        let tips = tips(usage);
        json(&tips.into_iter().fold(error, CommandError::hint).body());
    } else {
        message(&usage.render().to_string());
    }
    ErrorCode::Usage.exit()
}

/// The tips in the error for an unknown command.
fn tips(error: &clap::Error) -> Vec<String> {
    match error.get(ContextKind::Suggested) {
        Some(ContextValue::StyledStrs(tips)) if error.kind() == ErrorKind::InvalidSubcommand => {
            tips.iter().map(ToString::to_string).collect()
        }
        _ => Vec::new(),
    }
}

/// Prints the error of a command that must end although a reader has paused (a pager, Ctrl-S). Gives up
/// after a second.
pub(crate) fn last_error(error: CommandError, as_json: bool) {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        self::error(&error, as_json);
        // The receiver is gone after the timeout.
        let _ = done.send(());
    });
    // There is no other place to report this failure.
    let _ = finished.recv_timeout(TIMEOUT);
}

/// Renders an error with an excerpt of its file.
fn snippet(invalid: &portway_project::Diagnostic) -> String {
    let path = invalid.file.display().to_string();
    let span = invalid.span.clone().unwrap_or(0..0);
    let source = Snippet::source(invalid.text.as_str())
        .path(path)
        .annotation(AnnotationKind::Primary.span(span));
    let title = Level::ERROR.primary_title(invalid.message.as_str());
    let mut report = vec![title.element(source)];
    if let Some(help) = &invalid.help {
        report.push(Group::with_title(
            Level::HELP.secondary_title(help.as_str()),
        ));
    }
    Renderer::styled().render(&report)
}
