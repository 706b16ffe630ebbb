//! `portway wait`: until services are ready.

use std::collections::HashMap;
use std::path::Path;

use tokio::time::Instant;

use crate::args::{Choice, Wait};
use crate::error::CommandError;
use crate::follow::{self, not_running, runtime};
use crate::project::Project;
use crate::ui;

pub(crate) fn run(directory: Option<&Path>, args: &Wait) -> Result<u8, CommandError> {
    let mut project = Project::open(directory, &Choice::default())?;
    for name in &args.services {
        project.known(name)?;
    }
    let status = runtime()?.block_on(async {
        // Whoever waits may be quicker than whoever starts.
        follow::appeared(&mut project, Instant::now() + args.timeout).await?;
        let ready = async {
            let Some(mut events) = follow::events(&mut project).await? else {
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
