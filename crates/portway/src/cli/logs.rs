//! `portway logs`: what services print, from the files and, with `-f`, as it comes.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use portway_api::{ErrorCode, Event};
use portway_supervisor::logs::{self, Filter};
use regex_lite::Regex;

use crate::args::span;
use crate::error::CommandError;
use crate::follow::{self, Supervised, runtime};
use crate::running::Running;
use crate::ui::{self, LogPrinter};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway logs -f                    follow everything
  portway logs backend --since 10m   the last ten minutes of one service
  portway logs --grep 'ERROR|WARN'   lines that match a regular expression")]
pub(crate) struct Logs {
    /// Services; all where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Go on while the instance runs
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only lines younger than this, such as `30s`, `10m`, `2h`
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) since: Option<Duration>,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(crate) grep: Option<String>,
    /// Only this many lines from the end
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub(crate) lines: Option<usize>,
    /// Print each line as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Logs) -> Result<u8, CommandError> {
    let mut running = Running::open(directory)?;
    for name in &args.services {
        running.known(name)?;
    }
    let grep = args.grep.as_deref().map(Regex::new).transpose();
    let grep = grep.map_err(|error| {
        CommandError::new(
            ErrorCode::Usage,
            format!("`--grep` is no regular expression: {error}"),
        )
    })?;
    let now = portway_supervisor::now();
    let filter = Filter {
        services: args.services.clone(),
        since: args
            .since
            .map(|age| now.saturating_sub(age.as_millis() as u64)),
        grep,
    };
    let names: Vec<String> = running.services.clone();
    let printer = LogPrinter::new(&names, args.json);
    let print_files = |running: &Running| {
        let lines = logs::read(&running.logs(), &filter);
        let skipped = args
            .lines
            .map_or(0, |count| lines.len().saturating_sub(count));
        let last = lines.last().map_or(0, |record| record.number);
        let read = lines
            .iter()
            .skip(skipped)
            .all(|record| printer.print(record));
        (last, read)
    };
    if !args.follow {
        print_files(&running);
        return Ok(0);
    }
    runtime()?.block_on(async {
        // Listening begins before the files are read; what is in both is told apart by its number.
        let events = follow::events(&mut running).await?;
        let (last, mut read) = print_files(&running);
        let Some(mut events) = events else {
            ui::talk("nothing of this checkout runs; these are the lines of the last time\n");
            return Ok(0);
        };
        while read && let Some(event) = events.next().await {
            if let Event::Log(record) = event
                && record.number > last
                && filter.matches(&record)
            {
                read = printer.print(&record);
            }
        }
        Ok(0)
    })
}
