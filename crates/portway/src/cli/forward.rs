//! `portway forward`: route a fixed port to this checkout.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::gateway::forward;

use super::candidates;
use super::values::port;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway forward 3000
      Route http://localhost:3000 to the main service
  portway forward 8080 backend
      Route port 8080 to another service
  portway forward
      List fixed ports and their services
  portway forward 3000 --stop
      Release the port

Use it for logins and webhooks that accept only one address. The port routes to this checkout until \
you run the same command in another checkout.")]
pub(crate) struct ForwardArgs {
    /// Fixed port to route
    #[arg(value_name = "PORT", value_parser = port)]
    pub(crate) port: Option<u16>,
    /// Service of this checkout [default: the main service]
    #[arg(value_name = "SERVICE", conflicts_with = "stop", add = candidates::services())]
    pub(crate) service: Option<String>,
    /// Release the port
    #[arg(long, requires = "port")]
    pub(crate) stop: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &ForwardArgs) -> Result<u8, CommandError> {
    match args.port {
        None => {
            let forwards = forward::list()?;
            if args.json {
                ui::json(&forwards);
            } else {
                ui::forwards(&forwards);
            }
        }
        Some(port) if args.stop => {
            let ended = forward::stop(port)?;
            if args.json {
                ui::json(&ended);
            } else {
                ui::message(&format!("released port {port}\n"));
            }
        }
        Some(port) => {
            let (forward, before) = forward::start(directory, port, args.service.as_deref())?;
            if args.json {
                ui::json(&forward);
            } else {
                ui::forwarded(&forward, before.as_ref());
            }
        }
    }
    Ok(0)
}
