//! `portway wait`: until services are ready.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use crate::args::span;
use crate::error::CommandError;
use crate::follow::{self, not_running, runtime};
use crate::running::Running;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway wait                       until everything that was started is ready
  portway wait backend --timeout 10s
Exits with 124 when the time is over, and with 5 when a service has failed.")]
pub(crate) struct Wait {
    /// Services; all that were started where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = span)]
    pub(crate) timeout: Duration,
    /// Print the status as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Wait) -> Result<u8, CommandError> {
    let mut running = Running::open(directory)?;
    for name in &args.services {
        running.known(name)?;
    }
    let status = runtime()?.block_on(async {
        // Whoever waits may be quicker than whoever starts.
        follow::appeared(&mut running, Instant::now() + args.timeout).await?;
        let ready = async {
            let Some(mut events) = follow::events(&mut running).await? else {
                return Err(not_running());
            };
            follow::until_ready(&mut events, &args.services, &HashMap::new()).await
        };
        follow::within(args.timeout, "not ready", ready).await
    })?;
    if args.json {
        ui::json(&status);
    } else {
        ui::summary(&status);
    }
    Ok(0)
}
