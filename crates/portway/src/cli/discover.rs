//! `portway discover`: what Portway serves on other machines of the local network.

use std::time::Duration;

use clap::Args;
use portway_api::ErrorCode;

use crate::args::positive_span;
use crate::error::CommandError;
use crate::ui::{self, Progress};

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

pub(crate) fn run(args: &Discover) -> Result<u8, CommandError> {
    let progress = Progress::new();
    progress.tell("asks the local network");
    let found = portway_lan::browse(args.time, |count| {
        progress.tell(&format!("asks the local network: {count} so far"));
    });
    progress.finish();
    let found = found.map_err(|error| {
        let message = format!("cannot ask the local network: {error}");
        CommandError::new(ErrorCode::Failed, message)
            .hint("mDNS needs UDP port 5353: a firewall or another responder may keep it")
    })?;
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
