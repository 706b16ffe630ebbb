//! `portway discover`: list what Portway serves on other machines of the local network.

use std::time::Duration;

use clap::Args;
use portway_app::discover::discover;
use portway_app::error::CommandError;
use portway_app::reporter::Reporter;

use super::values::positive_span;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway discover                             what other machines serve with `portway up --lan`
  portway discover --for 10s                   in a network that is slow to answer
  portway discover --json | jq -r '.[].url'    for programs

This machine's own services are left out: `portway ps` has them.")]
pub(crate) struct Discover {
    /// How long to wait for answers
    #[arg(long = "for", value_name = "SPAN", default_value = "2s", value_parser = positive_span)]
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
        ui::talk(
            "no other machine of the local network announces a service of Portway; \
             `portway up --lan` does there\n",
        );
    }
    Ok(0)
}
