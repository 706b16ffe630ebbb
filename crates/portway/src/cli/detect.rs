//! `portway detect`: the plan and `.ports.json`, nothing started.

use std::path::Path;

use clap::Args;
use portway_api::{InstanceState, InstanceStatus};

use crate::allocation::{self, Keep};
use crate::args::Choice;
use crate::error::CommandError;
use crate::follow::{Supervised, runtime};
use crate::project::Project;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway detect                       choose ports and write `.ports.json`
  portway detect --port backend=9005   insist on a port
  portway detect --json                for programs")]
pub(crate) struct Detect {
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Detect) -> Result<u8, CommandError> {
    let mut project = Project::open(directory, &args.choice)?;
    let running = project.is_supervised()?;
    let allocation = allocation::current_or_new(&mut project, &args.choice, Keep::No)?;
    let displaced = allocation::displaced(&mut project, &allocation)?;
    let mut status = InstanceStatus {
        id: project.instance.id.clone(),
        name: project.instance.name.clone(),
        project: project.plan.project.clone(),
        directory: project.checkout.root.display().to_string(),
        branch: project.instance.branch.clone(),
        state: InstanceState::Stopped,
        pid: None,
        since: None,
        main: project.plan.main.clone(),
        routes: project.plan.routes.clone(),
        lan: false,
        services: allocation::service_statuses(&project, &allocation, &displaced),
    };
    if running && let Ok(live) = runtime()?.block_on(project.client().status()) {
        status = live;
    }
    ui::port_warnings(&status);
    if args.json {
        ui::json(&status);
    } else {
        ui::plan(&status);
    }
    Ok(0)
}
