//! `portway port SERVICE` and `portway url SERVICE`: one value.

use std::collections::HashMap;
use std::path::Path;

use clap::Args;
use portway_api::{ErrorCode, PortStatus};

use crate::allocation::{self, Keep};
use crate::args::Choice;
use crate::error::CommandError;
use crate::project::Project;
use crate::{gateway, ui};

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The service; `SERVICE.NAME` for a named port
    pub(crate) service: String,
    /// Print JSON: the port, its URL, and why it is not the wanted one
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Url {
    #[command(flatten)]
    pub(crate) one: One,
    /// By name, as the gateway serves it; not every program can resolve names below `localhost`
    #[arg(long)]
    pub(crate) name: bool,
}

pub(crate) fn port(directory: Option<&Path>, args: &One) -> Result<u8, CommandError> {
    print(directory, args, |port| port.port.to_string())
}

pub(crate) fn url(directory: Option<&Path>, args: &Url) -> Result<u8, CommandError> {
    if args.name {
        return named(directory, &args.one);
    }
    print(directory, &args.one, |port| port.url.clone())
}

/// Prints the URL by which the gateway serves a service.
fn named(directory: Option<&Path>, args: &One) -> Result<u8, CommandError> {
    let gateway = gateway::status()?.ok_or_else(gateway::not_running)?;
    let project = Project::open(directory, &Choice::default())?;
    project.known(&args.service)?;
    let mut all = gateway::instances()?;
    portway_gateway::fill_gateway_fields(&mut all, &gateway);
    let services = all
        .into_iter()
        .filter(|one| one.id == project.instance.id)
        .flat_map(|one| one.services);
    let found = services.into_iter().find(|one| one.name == args.service);
    let Some(url) = found.and_then(|service| service.named_url) else {
        let message = format!("the gateway has no name for `{}`", args.service);
        return Err(CommandError::new(ErrorCode::NotFound, message).hint(
            "it serves what speaks HTTP and has run once; a worktree whose branch is called like \
             the service has the name first",
        ));
    };
    if args.json {
        ui::json(&serde_json::json!({ "url": url }));
    } else {
        ui::out(&format!("{url}\n"));
    }
    Ok(0)
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
