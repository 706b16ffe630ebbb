//! `portway port SERVICE` and `portway url SERVICE`: print one value.

use std::path::Path;

use clap::Args;
use portway_api::PortStatus;
use portway_app::error::CommandError;
use portway_app::wiring;

use super::candidates;
use crate::ui;

#[derive(Debug, Args)]
pub(crate) struct PortArgs {
    /// Service, or `SERVICE.NAME` for a named port [default: the main or only service]
    #[arg(add = candidates::service_ports())]
    pub(crate) service: Option<String>,
    /// Print JSON: the port, its URL, and why it is not the preferred port
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UrlArgs {
    #[command(flatten)]
    pub(crate) port: PortArgs,
    /// Print the gateway's URL with the service's name; some programs cannot resolve such names
    #[arg(long)]
    pub(crate) name: bool,
}

pub(crate) fn port(directory: Option<&Path>, args: &PortArgs) -> Result<u8, CommandError> {
    print(directory, args, |port| port.port.to_string())
}

pub(crate) fn url(directory: Option<&Path>, args: &UrlArgs) -> Result<u8, CommandError> {
    let port = &args.port;
    if !args.name {
        return print(directory, port, |port| port.url.clone());
    }
    let url = wiring::named_url(directory, port.service.as_deref())?;
    if port.json {
        ui::json(&serde_json::json!({ "url": url }));
    } else {
        ui::exact(&format!("{url}\n"));
    }
    Ok(0)
}

fn print(
    directory: Option<&Path>,
    args: &PortArgs,
    value: impl Fn(&PortStatus) -> String,
) -> Result<u8, CommandError> {
    let port = wiring::port(directory, args.service.as_deref())?;
    if args.json {
        ui::json(&port);
    } else {
        ui::exact(&format!("{}\n", value(&port)));
    }
    Ok(0)
}
