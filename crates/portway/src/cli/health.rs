//! `portway health`: check whether services are healthy.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::health::{HealthOptions, health};

use super::candidates;
use super::values::positive_duration;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway health
      Check the main or only service
  portway health --all
      Check every service with a port
  portway health backend
      Check one service
  portway health --watch
      Check repeatedly until Ctrl-C
  portway health --watch --json
      Print one line of JSON per check

Portway requests the `health` path of the manifest, or else the `ready` path; a status below 400 is \
healthy. Without such a path, it requests `/`, where a status below 500 is healthy. Services without \
HTTP must accept a connection. A response from an unrelated process does not count. The exit code \
is 1 if a service is unhealthy.")]
pub(crate) struct Health {
    /// Services to check [default: the main or only service]
    #[arg(value_name = "SERVICE", add = candidates::services())]
    pub(crate) services: Vec<String>,
    /// Check every service with a port
    #[arg(short, long, conflicts_with = "services")]
    pub(crate) all: bool,
    /// Check repeatedly
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Time between two checks
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = positive_duration, requires = "watch")]
    pub(crate) interval: Duration,
    /// Timeout of one request
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = positive_duration)]
    pub(crate) timeout: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: Health) -> Result<u8, CommandError> {
    let reporter = ui::Terminal::new(args.json);
    let options = HealthOptions {
        services: args.services,
        all: args.all,
        interval: args.watch.then_some(args.interval),
        timeout: args.timeout,
    };
    let is_healthy = health(directory, &options, &reporter, |report| {
        match (args.watch, args.json) {
            (false, true) => ui::json(report),
            (false, false) => ui::health(report),
            (true, true) => ui::json_line(report),
            (true, false) => ui::health_update(report),
        }
    })?;
    Ok(u8::from(!is_healthy))
}
