//! `portway down`: stop the services of a checkout.

use std::path::Path;

use portway_api::ErrorCode;

use crate::args::{Choice, Down};
use crate::error::CommandError;
use crate::follow::{self, runtime};
use crate::project::Project;
use crate::ui;

pub(crate) fn run(directory: Option<&Path>, args: &Down) -> Result<u8, CommandError> {
    let mut project = Project::open(directory, &Choice::default())?;
    for name in &args.services {
        project.known(name)?;
    }
    runtime()?.block_on(async {
        let Some(events) = follow::events(&mut project).await? else {
            ui::talk("nothing of this checkout runs\n");
            return Ok(0);
        };
        let verb = if args.now { "kill" } else { "stop" };
        match follow::ask(&project.client(), verb, &args.services).await {
            // It is ending already, and does not listen any more.
            Err(error) if error.info.code == ErrorCode::NotRunning => {}
            other => other?,
        }
        if args.services.is_empty() {
            follow::until_stopped(&mut project, events).await?;
            ui::talk(&format!("{} is stopped\n", project.instance.name));
        } else {
            follow::until_at_rest(events, &args.services).await?;
        }
        Ok(0)
    })
}
