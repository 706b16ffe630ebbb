//! `portway port SERVICE` and `portway url SERVICE`: one value.

use std::collections::HashMap;
use std::path::Path;

use clap::Args;
use portway_api::{ErrorCode, PortStatus};

use crate::allocation::{self, Keep};
use crate::args::Choice;
use crate::error::CommandError;
use crate::project::Project;
use crate::ui;

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The service; `SERVICE.NAME` for a named port
    pub(crate) service: String,
    /// Print JSON: the port, its URL, and why it is not the wanted one
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn port(directory: Option<&Path>, args: &One) -> Result<u8, CommandError> {
    print(directory, args, |port| port.port.to_string())
}

pub(crate) fn url(directory: Option<&Path>, args: &One) -> Result<u8, CommandError> {
    print(directory, args, |port| port.url.clone())
}

fn print(
    directory: Option<&Path>,
    args: &One,
    value: impl Fn(&PortStatus) -> String,
) -> Result<u8, CommandError> {
    let port = find(directory, args)?;
    if args.json {
        ui::json(&port);
    } else {
        ui::out(&format!("{}\n", value(&port)));
    }
    Ok(0)
}

fn find(directory: Option<&Path>, args: &One) -> Result<PortStatus, CommandError> {
    let mut project = Project::open(directory, &Choice::default())?;
    let (service, name) = match args.service.split_once('.') {
        Some((service, name)) => (service, Some(name)),
        None => (args.service.as_str(), None),
    };
    project.known(service)?;
    let allocation = allocation::current_or_new(&mut project, &Choice::default(), Keep::No)?;
    // Who has the port that was wanted is not asked here.
    allocation::service_statuses(&project, &allocation, &HashMap::new())
        .into_iter()
        .filter(|status| status.name == service)
        .flat_map(|status| status.ports)
        .find(|port| name.is_none() || port.name.as_deref() == name)
        .ok_or_else(|| {
            CommandError::new(ErrorCode::Usage, format!("`{}` has no port", args.service)).hint(
                format!("give it one: `port = \"9100-9199\"` in `[services.{service}]`"),
            )
        })
}
