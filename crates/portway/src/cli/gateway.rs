//! `portway gateway`: serve names for every service of every instance.

use clap::{Args, Subcommand};
use portway_api::GatewayStatus;
use portway_app::error::CommandError;
use portway_app::gateway;
use portway_app::gateway::host::{self, ServeOptions};

use crate::ui;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  portway gateway                          serve names until Ctrl-C
  portway gateway --detach                 in the background
  portway gateway status                   where it is
  curl http://backend.jobi.localhost:7678  a service of the instance `jobi`"
)]
pub(crate) struct Gateway {
    /// Serve on this port, 0 for any that is free; without it on 80, or on 7678 where that cannot
    /// be had
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Serve HTTPS on this port, 0 for any that is free, once `portway trust` has made a CA;
    /// without it on 443, or on 7679 where that cannot be had
    #[arg(long, value_name = "PORT")]
    pub(crate) tls_port: Option<u16>,
    /// Serve in the background
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// This is the process in the background
    #[arg(long, hide = true)]
    pub(crate) background: bool,
    #[command(subcommand)]
    pub(crate) act: Option<Act>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Act {
    /// Show whether a gateway runs, and where
    Status(Answer),
    /// Stop the gateway; services go on
    Stop(Answer),
    /// Have it start with your session (systemd, launchd)
    Install,
    /// Undo `install`
    Uninstall,
}

#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Gateway) -> Result<u8, CommandError> {
    match &args.act {
        Some(Act::Status(answer)) => show(&gateway::status()?, answer.json),
        Some(Act::Stop(answer)) => {
            let status = gateway::stop()?;
            if answer.json {
                ui::json(&status);
            } else {
                ui::talk("the gateway has ended; services go on\n");
            }
        }
        Some(Act::Install) => {
            host::install(|file| ui::talk(&format!("wrote {}\n", file.display())))?;
            ui::talk("the gateway runs, and starts with your session\n");
        }
        Some(Act::Uninstall) => {
            let file = host::uninstall()?;
            ui::talk(&format!("removed {}\n", file.display()));
        }
        None if args.detach => detach(args)?,
        None => serve(args)?,
    }
    Ok(0)
}

fn show(status: &GatewayStatus, json: bool) {
    if json {
        ui::json(status);
    } else {
        ui::gateway(status);
    }
}

/// Serves until a signal or `portway gateway stop`. In the background, the process that started
/// this one reads the status, or the error, as JSON.
fn serve(args: &Gateway) -> Result<(), CommandError> {
    let options = ServeOptions {
        port: args.port,
        tls_port: args.tls_port,
        background: args.background,
    };
    let served = host::serve(options, |status| {
        show(status, args.json || args.background);
    });
    served.inspect_err(|error| {
        if args.background {
            ui::json(&error.body());
        }
    })
}

/// Starts one in the background, or finds the one that runs.
fn detach(args: &Gateway) -> Result<(), CommandError> {
    let (status, is_elsewhere) = gateway::start(args.port, args.tls_port)?;
    show(&status, args.json);
    if is_elsewhere {
        ui::warning(
            "it ran already; the port that is preferred counts when it is started anew: `portway gateway stop`",
        );
    }
    Ok(())
}
