//! `portway logs`: print the output of services.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::instance::{self, LogOptions};

use super::candidates;
use super::values::duration;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway logs
      Show the output of all services
  portway logs -f
      Follow the output of the main or only service
  portway logs -f --all
      Follow the output of all services
  portway logs backend --since 10m
      Show the last ten minutes of one service
  portway logs --grep 'ERROR|WARN'
      Show lines that match a regular expression")]
pub(crate) struct Logs {
    /// Services to show [default: all; with `--follow`, the main or only one]
    #[arg(value_name = "SERVICE", add = candidates::services())]
    pub(crate) services: Vec<String>,
    /// Keep printing new lines
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// With `--follow`, follow all services
    #[arg(short, long, conflicts_with = "services")]
    pub(crate) all: bool,
    /// Show only lines newer than this, such as `30s`, `10m` or `2h`
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) since: Option<Duration>,
    /// Show only lines that match this regular expression
    #[arg(long, value_name = "REGEX")]
    pub(crate) grep: Option<String>,
    /// Show only this many lines from the end
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
        all: args.all,
        since: args.since,
        grep: args.grep,
        lines: args.lines,
    };
    instance::logs(directory, &options, &ui::Terminal::for_logs(args.json))?;
    Ok(0)
}
