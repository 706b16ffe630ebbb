//! `portway discover`: list services on other machines of the local network.

use std::time::Duration;

use clap::Args;
use portway_app::discover::discover;
use portway_app::error::CommandError;
use portway_app::reporter::Reporter;

use super::values::positive_duration;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway discover
      List services started with `portway up --lan`
  portway discover --for 10s
      Wait longer for answers
  portway discover --json | jq -r '.[].url'
      Print their URLs only

This command does not list the services of this machine; use `portway ps`.")]
pub(crate) struct Discover {
    /// How long to wait for answers
    #[arg(long = "for", value_name = "TIME", default_value = "2s", value_parser = positive_duration)]
    time: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Discover, reporter: &dyn Reporter) -> Result<u8, CommandError> {
    let found = discover(args.time, reporter)?;
    if args.json {
        ui::json(&found);
    } else {
        ui::discovered(&found);
    }
    if found.is_empty() {
        ui::message(
            "no other machine on the local network announces services; \
             run `portway up --lan` there\n",
        );
    }
    Ok(0)
}
