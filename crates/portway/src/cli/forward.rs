//! `portway forward`: a fixed port that leads to the chosen checkout.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::gateway::forward;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway forward 3000             http://localhost:3000 is this checkout's main service, until
                                   another checkout says the same
  portway forward 8080 backend     a service of it
  portway forward                  all fixed ports, and where they lead
  portway forward 3000 --stop      let the port go")]
pub(crate) struct ForwardArgs {
    /// The fixed port, such as the one that a login or a webhook is told
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// The service of this checkout; its main one when it is left out
    #[arg(value_name = "SERVICE", conflicts_with = "stop")]
    pub(crate) service: Option<String>,
    /// Let the port go
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
                ui::talk(&format!("port {port} is free again\n"));
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
