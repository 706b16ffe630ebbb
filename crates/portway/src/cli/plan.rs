//! `portway plan`: show what there is to start, and why.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::plan::plan;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway plan            what `up` would start here, and what tells so
  portway plan --json     the same for programs
  portway init            take it over as `portway.toml`, to change it by hand
Nothing is started, leased or written.")]
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
