//! `portway health`: check whether services are healthy.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::health::{HealthOptions, health};

use super::values::positive_span;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway health                     every service that has a port
  portway health backend             one of them
  portway health --watch             again and again, until Ctrl-C
  portway health --watch --json      one line of JSON for each round
Asked is `health` of `portway.toml`, else the path of `ready`: they have to answer below 400. Else it
is `/`, where any answer below 500 will do; a service that speaks no HTTP has to accept a
connection. What answers and is somebody else's process counts for nothing. Exits with 1 when one
that was asked is not well.")]
pub(crate) struct Health {
    /// Services; all that have a port where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Ask again and again
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// From one round to the next
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = positive_span, requires = "watch")]
    pub(crate) interval: Duration,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = positive_span)]
    pub(crate) timeout: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: Health) -> Result<u8, CommandError> {
    let options = HealthOptions {
        services: args.services,
        interval: args.watch.then_some(args.interval),
        timeout: args.timeout,
    };
    let is_healthy = health(directory, &options, |report| {
        match (args.watch, args.json) {
            (false, true) => ui::json(report),
            (false, false) => ui::health(report),
            (true, true) => ui::json_line(report),
            (true, false) => ui::health_again(report),
        }
    })?;
    Ok(u8::from(!is_healthy))
}
