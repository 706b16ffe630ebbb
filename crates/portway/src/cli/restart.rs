//! `portway restart`: services anew, each on its own port.

use std::collections::HashMap;
use std::path::Path;

use crate::error::CommandError;
use crate::follow::{self, Supervised, not_running, runtime};
use crate::running::Running;
use crate::ui;
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway restart            everything, in its order
  portway restart backend    one of them; its port stays its own")]
pub(crate) struct Names {
    /// Services; all where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
}

pub(crate) fn run(directory: Option<&Path>, args: &Names) -> Result<u8, CommandError> {
    let mut running = Running::open(directory)?;
    for name in &args.services {
        running.known(name)?;
    }
    runtime()?.block_on(async {
        let Some(mut events) = follow::events(&mut running).await? else {
            return Err(not_running());
        };
        let client = running.client();
        let before = client.status().await.map_err(|_| not_running())?;
        let since: HashMap<String, Option<u64>> = before
            .services
            .into_iter()
            .filter(|service| args.services.is_empty() || args.services.contains(&service.name))
            .map(|service| (service.name, service.since))
            .collect();
        follow::ask(&client, "restart", &args.services).await?;
        let status = follow::until_ready(&mut events, &args.services, &since).await?;
        ui::summary(&status);
        Ok(0)
    })
}
