//! `portway free PORT`: end who has a port, safely, and see that it is free.

use std::time::Duration;

use clap::Args;
use portway_api::{ErrorCode, FreeReport};
use portway_app::error::CommandError;
use portway_app::free::Freeing;

use super::values::{port, span};
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway free 9000              shows who has it, asks, ends it
  portway free 9000 --dry-run    only shows what would be ended
  portway free 9000 --yes        does not ask
A service of Portway is stopped by its supervisor and can be started again: `portway up`. Refused
are this command's own parents, another user's processes, and containers.
Exit codes: 0 the port is free now, 1 refused or failed, 6 nobody had it.")]
pub(crate) struct Free {
    /// The port
    #[arg(value_name = "PORT", value_parser = port)]
    pub(crate) port: u16,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Only show what would be done
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// How long it may take to end before it is killed
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = span)]
    pub(crate) grace: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Free) -> Result<u8, CommandError> {
    let freeing = Freeing::of(args.port)?;
    if args.dry_run {
        return Ok(print(&freeing.freed, args.json));
    }
    if !args.yes {
        confirm(&freeing.freed)?;
    }
    let freed = freeing.carry_out(args.grace)?;
    Ok(print(&freed, args.json))
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
            "nobody can be asked here whether to end it",
        )
        .hint("`--yes` does it without asking, `--dry-run` shows what would be done"));
    }
    ui::would_free(freed);
    if ui::ask("end it?") {
        return Ok(());
    }
    Err(CommandError::new(ErrorCode::Refused, "nothing was done"))
}
