//! `portway plan`: show detected services and why they were detected.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::plan::plan;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway plan
      Show what `portway up` would start, and why
  portway plan --json
      Print it for programs
  portway init
      Write it to `portway.toml` to edit it

This command starts no services, leases no ports and writes no files.")]
pub(crate) struct PlanArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &PlanArgs) -> Result<u8, CommandError> {
    let plan = plan(directory)?;
    if args.json {
        ui::json(&plan);
    } else {
        ui::project_plan(&plan);
    }
    Ok(0)
}
