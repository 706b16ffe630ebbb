//! `portway port SERVICE` and `portway url SERVICE`: print one value.

use std::path::Path;

use clap::Args;
use portway_api::PortStatus;
use portway_app::error::CommandError;
use portway_app::wiring;

use crate::ui;

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
    let one = &args.one;
    if !args.name {
        return print(directory, one, |port| port.url.clone());
    }
    let url = wiring::named_url(directory, &one.service)?;
    if one.json {
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
    let port = wiring::port(directory, &args.service)?;
    if args.json {
        ui::json(&port);
    } else {
        ui::out(&format!("{}\n", value(&port)));
    }
    Ok(0)
}
