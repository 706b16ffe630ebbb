//! Diagnostic logging: on the terminal if requested, and in a file in processes that serve.
//!
//! Input: the number of `-v` flags and `PORTWAY_LOG`. Supervisors write `supervisor.log` in the
//! directory of their instance, the gateway writes `gateway.log` in its own. Both files are limited
//! in size, and the file that preceded them is kept as `*.1.log`.

use std::backtrace::Backtrace;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use portway_api::ErrorCode;
use portway_project::user_file;
use portway_supervisor::logs::CappedFile;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::prelude::*;

use crate::error::CommandError;

/// The variable that selects what is logged, such as `debug` or `portway_gateway=trace,info`.
pub const VARIABLE: &str = "PORTWAY_LOG";

/// The file name of a supervisor's log.
pub const SUPERVISOR_LOG: &str = "supervisor.log";

/// The file name of the gateway's log.
pub const GATEWAY_LOG: &str = "gateway.log";

/// Maximum size of a log file and of its predecessor, in bytes each.
const LOG_LIMIT: u64 = 1 << 20;

/// The log file of this process, once it serves.
static LOG_FILE: OnceLock<Mutex<CappedFile>> = OnceLock::new();

/// The requested filter of this process, for the processes that it starts.
static REQUESTED: OnceLock<String> = OnceLock::new();

/// Returns the requested filter: `verbosity` counts `-v` flags and overrides `variable`, the value
/// of `PORTWAY_LOG`. `None` means that nothing was requested.
///
/// # Errors
/// If the variable is not a valid filter.
pub fn filter(verbosity: u8, variable: Option<&str>) -> Result<Option<Targets>, CommandError> {
    let level = match verbosity {
        0 => {
            let Some(text) = variable.map(str::trim).filter(|text| !text.is_empty()) else {
                return Ok(None);
            };
            return match (text.parse::<LevelFilter>(), text.parse::<Targets>()) {
                // A level without a module applies to Portway and not to its libraries.
                (Ok(level), _) => Ok(Some(portway_at(level))),
                (_, Ok(targets)) => Ok(Some(targets)),
                (_, Err(error)) => {
                    let message = format!("invalid value `{text}` of `{VARIABLE}`");
                    Err(CommandError::new(ErrorCode::Usage, message).caused_by(error).hint(
                        "use a level (error, warn, info, debug, trace), or levels by module such as `portway_gateway=debug,info`",
                    ))
                }
            };
        }
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    Ok(Some(portway_at(level)))
}

/// Returns a filter with Portway's own crates at a level and libraries off.
fn portway_at(level: LevelFilter) -> Targets {
    Targets::new().with_target("portway", level)
}

/// Starts logging in this process: to `terminal` if a `requested` filter is given, and, in a process
/// that `serves`, to the file that is set later. Such a file has at least the level `info`.
///
/// A process that serves never waits for the terminal: lines that it does not take are lost.
pub fn start<W>(requested: Option<Targets>, terminal: W, serves: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    if requested.is_none() && !serves {
        return;
    }
    if let Some(requested) = &requested {
        // Set once per process.
        let _ = REQUESTED.set(requested.to_string());
    }
    let writer = match serves && requested.is_some() {
        true => BoxMakeWriter::new(DetachedWriter::start(terminal)),
        false => BoxMakeWriter::new(terminal),
    };
    let to_terminal = requested.clone().map(|filter| {
        let layer = tracing_subscriber::fmt::layer();
        layer
            .with_ansi(false)
            .with_writer(writer)
            .with_filter(filter)
    });
    let to_file = serves.then(|| {
        let filter = requested.unwrap_or_else(|| portway_at(LevelFilter::INFO));
        let layer = tracing_subscriber::fmt::layer();
        layer
            .with_ansi(false)
            .with_writer(LogFile::default)
            .with_filter(filter)
    });
    let subscriber = tracing_subscriber::registry()
        .with(to_terminal)
        .with(to_file);
    // Fails only if a subscriber is set already, which is then in use.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Waits, for a limited time, until the terminal has taken the lines of a process that serves.
pub fn finish() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    if let Some(lines) = DETACHED.get() {
        let (done, finished) = mpsc::channel();
        if lines.try_send(Line::End(done)).is_ok() {
            // A paused terminal takes them too late.
            let _ = finished.recv_timeout(TIMEOUT);
        }
    }
}

/// A line for the terminal.
enum Line {
    Text(Vec<u8>),
    /// All earlier lines are written.
    End(mpsc::Sender<()>),
}

/// The lines that the terminal has not taken yet.
static DETACHED: OnceLock<SyncSender<Line>> = OnceLock::new();

/// Writes to the terminal on a separate thread.
#[derive(Clone, Copy)]
struct DetachedWriter;

impl DetachedWriter {
    fn start<W>(terminal: W) -> impl Fn() -> Self
    where
        W: for<'a> MakeWriter<'a> + Send + 'static,
    {
        const CAPACITY: usize = 1024;
        let (sender, lines) = mpsc::sync_channel(CAPACITY);
        // Set once per process.
        let _ = DETACHED.set(sender);
        thread::spawn(move || {
            for line in lines {
                match line {
                    Line::Text(text) => {
                        // There is no other place to report this failure.
                        let _ = terminal.make_writer().write_all(&text);
                    }
                    // The receiver is gone after its timeout.
                    Line::End(done) => drop(done.send(())),
                }
            }
        });
        || Self
    }
}

impl Write for DetachedWriter {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if let Some(lines) = DETACHED.get() {
            // The line is lost if the terminal is far behind.
            let _ = lines.try_send(Line::Text(text.to_vec()));
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes diagnostics of this process to `path` from now on. A file that cannot be opened is only
/// reported, so that the start does not fail.
pub(crate) fn log_to(path: &Path) {
    match CappedFile::open(path, &previous(path), LOG_LIMIT) {
        Ok(file) => {
            // Set once per process.
            let _ = LOG_FILE.set(Mutex::new(file));
        }
        Err(error) => tracing::warn!(path = %path.display(), %error, "cannot open the log file"),
    }
}

/// Opens a log file as the standard error stream of a process that is started in the background.
pub(crate) fn background_stderr(path: &Path) -> io::Result<File> {
    user_file::append_to_private(path)
}

/// Passes the requested filter to a process that is started in the background.
pub(crate) fn pass_filter(command: &mut Command) {
    if let Some(filter) = REQUESTED.get() {
        command.env(VARIABLE, filter);
    }
}

/// Makes a panic print its backtrace on standard error. In a process in the background that is its
/// log file.
pub fn print_panics_with_backtrace() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed").to_owned();
        let text = format!("thread `{name}` {info}\n{}\n", Backtrace::force_capture());
        // There is no other place to report a failure of this write.
        let _ = io::stderr().write_all(text.as_bytes());
    }));
}

/// The predecessor of a log file: `supervisor.1.log` for `supervisor.log`.
fn previous(path: &Path) -> PathBuf {
    path.with_extension("1.log")
}

/// Collects one event and appends it to the log file, if that is set.
#[derive(Default)]
struct LogFile(Vec<u8>);

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        if let Some(file) = LOG_FILE.get() {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk must not affect the services.
            let _ = file.write_all(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn flags_override_the_variable() {
        let would = |filter: Option<Targets>, target: &str, level: Level| {
            filter.is_some_and(|filter| filter.would_enable(target, &level))
        };
        let verbose = |count| filter(count, Some("portway=error")).unwrap();
        assert!(would(verbose(1), "portway_app::doctor", Level::INFO));
        assert!(!would(verbose(1), "portway_app::doctor", Level::DEBUG));
        assert!(would(verbose(2), "portway_gateway", Level::DEBUG));
        assert!(!would(verbose(2), "hyper", Level::ERROR));
        assert!(would(verbose(0), "portway_gateway", Level::ERROR));
        assert!(!would(verbose(0), "portway_gateway", Level::INFO));
    }

    #[test]
    fn reads_a_level_or_levels_by_module() {
        let enabled = |text: &str, target: &str, level: Level| {
            let filter = filter(0, Some(text)).unwrap();
            filter.is_some_and(|filter| filter.would_enable(target, &level))
        };
        assert!(enabled("debug", "portway_app", Level::DEBUG));
        assert!(!enabled("debug", "hyper", Level::DEBUG));
        assert!(enabled(
            "portway_lan=trace,info",
            "portway_lan",
            Level::TRACE
        ));
        assert!(enabled("portway_lan=trace,info", "hyper", Level::INFO));
        assert!(!enabled("", "portway_app", Level::ERROR));
        assert!(!enabled("off", "portway_app", Level::ERROR));
        let error = filter(0, Some("portway=loud")).unwrap_err();
        assert_eq!(error.info.code, ErrorCode::Usage);
    }
}
