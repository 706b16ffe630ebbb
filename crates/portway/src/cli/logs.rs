//! `portway logs`: print the output of services.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::instance::{self, LogOptions};

use super::values::span;
use crate::ui;

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

pub(crate) fn run(directory: Option<&Path>, args: Logs) -> Result<u8, CommandError> {
    let options = LogOptions {
        services: args.services,
        follow: args.follow,
        since: args.since,
        grep: args.grep,
        lines: args.lines,
    };
    instance::logs(directory, &options, &ui::Terminal::for_logs(args.json))?;
    Ok(0)
}
