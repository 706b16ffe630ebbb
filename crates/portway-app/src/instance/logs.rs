//! Log lines of an instance, from its log files and from its running supervisor.

use std::path::Path;
use std::time::Duration;

use portway_api::{ErrorCode, Event};
use portway_supervisor::logs::{self, Filter};
use regex_lite::Regex;

use super::Running;
use super::connection::{self, Supervised};
use super::follow::next;
use crate::error::CommandError;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// Which log lines to print.
#[derive(Debug, Clone, Default)]
pub struct LogOptions {
    /// Services. If it is empty: with `follow`, the main service; otherwise all.
    pub services: Vec<String>,
    /// Whether to follow all services.
    pub all: bool,
    /// Whether to continue with new lines while the instance is running.
    pub follow: bool,
    /// The maximum age of a line.
    pub since: Option<Duration>,
    /// A regular expression that a line must match.
    pub grep: Option<String>,
    /// The maximum number of lines from the end of the files.
    pub lines: Option<usize>,
}

/// Passes log lines to `reporter` until there are no more, or the reader has closed the stream.
///
/// # Errors
/// If the directory has no project, a service is unknown, or the expression is invalid.
pub fn logs(
    directory: Option<&Path>,
    options: &LogOptions,
    reporter: &dyn Reporter,
) -> Result<(), CommandError> {
    let running = Running::open(directory, reporter)?;
    if let Some(difference) = running.difference() {
        reporter.info(&difference);
    }
    for name in &options.services {
        running.known(name)?;
    }
    let mut services = options.services.clone();
    if options.follow && !options.all && services.is_empty() && running.services.len() > 1 {
        services.extend(running.main.clone());
        if let Some(main) = &running.main {
            reporter.info(&format!(
                "following the main service `{main}`; add `--all` to follow all services"
            ));
        }
    }
    let grep = options.grep.as_deref().map(Regex::new).transpose();
    let grep = grep.map_err(|error| {
        CommandError::new(ErrorCode::Usage, "invalid regular expression in `--grep`")
            .caused_by(error)
    })?;
    let now = portway_supervisor::now();
    let filter = Filter {
        services,
        since: options
            .since
            .map(|age| now.saturating_sub(age.as_millis() as u64)),
        grep,
    };
    let names: Vec<String> = running.services.clone();
    let print_files = |running: &Running| {
        let lines = logs::read(&running.logs(), &filter);
        let skipped = options
            .lines
            .map_or(0, |count| lines.len().saturating_sub(count));
        let last = lines.last().map_or(0, |record| record.number);
        let is_read = lines
            .iter()
            .skip(skipped)
            .all(|record| reporter.log(&names, record));
        (last, is_read)
    };
    if !options.follow {
        let (last, _) = print_files(&running);
        if last == 0 {
            reporter.info("found no log lines");
        }
        return Ok(());
    }
    runtime()?.block_on(async {
        // Subscribe before the files are read. A line that is in both is recognized by its number.
        let events = connection::events(&running).await?;
        let (last, mut is_read) = print_files(&running);
        let Some(mut events) = events else {
            reporter.info(
                "no services of this checkout are running; these are the lines of the last run",
            );
            return Ok(());
        };
        while is_read && let Some(event) = next(&running, &mut events).await? {
            if let Event::Log(record) = event
                && record.number > last
                && filter.matches(&record)
            {
                is_read = reporter.log(&names, &record);
            }
        }
        Ok(())
    })
}
