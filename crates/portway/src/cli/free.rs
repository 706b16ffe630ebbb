//! `portway free PORT`: stop the process that is using a port, and check that the port is free.

use std::time::Duration;

use clap::Args;
use portway_api::{ErrorCode, FreeReport};
use portway_app::error::CommandError;
use portway_app::free::FreePlan;

use super::candidates;
use super::values::{duration, port};
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway free 9000
      Show the process, ask, and stop it
  portway free 9000 --dry-run
      Only show what would be stopped
  portway free 9000 --yes
      Stop it without asking

If a Portway service uses the port, its supervisor stops it; `portway up` starts it again. Portway \
refuses to stop parent processes of this command, processes of other users, and containers.

Exit codes: 0 the port is free, 1 refused or failed, 6 the port was not in use.")]
pub(crate) struct Free {
    /// Port to free
    #[arg(value_name = "PORT", value_parser = port, add = candidates::ports())]
    pub(crate) port: u16,
    /// Stop without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Only show what would be stopped
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Grace period before the processes are killed
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) grace: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Free) -> Result<u8, CommandError> {
    let plan = FreePlan::new(args.port)?;
    if args.dry_run {
        return Ok(print(&plan.report, args.json));
    }
    if !args.yes {
        confirm(&plan.report)?;
    }
    let report = plan.execute(args.grace)?;
    Ok(print(&report, args.json))
}

fn print(freed: &FreeReport, json: bool) -> u8 {
    if json {
        ui::json(freed);
    } else {
        ui::freed(freed);
    }
    0
}

fn confirm(freed: &FreeReport) -> Result<(), CommandError> {
    if !ui::is_interactive() {
        return Err(CommandError::new(
            ErrorCode::Usage,
            "cannot ask for confirmation: standard input is not a terminal",
        )
        .hint(
            "add `--yes` to stop it without asking, or `--dry-run` to see what would be stopped",
        ));
    }
    ui::free_plan(freed);
    if ui::confirm("stop it?") {
        return Ok(());
    }
    Err(CommandError::new(
        ErrorCode::Refused,
        "canceled; nothing was stopped",
    ))
}
