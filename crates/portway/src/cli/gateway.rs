//! `portway gateway`: serve all instances under names instead of ports.

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
  portway gateway
      Run the gateway until Ctrl-C
  portway gateway --detach
      Run it in the background
  portway gateway status
      Show whether it is running, and where
  curl http://backend.jobi.localhost:7678
      Send a request to a service of `jobi`"
)]
pub(crate) struct Gateway {
    /// Port for HTTP; 0 for any free port [default: 80, or 7678 if 80 is not available]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Port for HTTPS; requires a CA created by `portway trust` [default: 443, or 7679 if 443 is
    /// not available]
    #[arg(long, value_name = "PORT")]
    pub(crate) tls_port: Option<u16>,
    /// Run in the background
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Marks the process in the background
    #[arg(long, hide = true)]
    pub(crate) background: bool,
    #[command(subcommand)]
    pub(crate) command: Option<GatewayCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// Show whether the gateway is running, and where
    Status(JsonArgs),
    /// Stop the gateway; services keep running
    Stop(JsonArgs),
    /// Start the gateway when you log in (systemd, launchd)
    Install,
    /// Undo `portway gateway install`
    Uninstall,
}

#[derive(Debug, Args)]
pub(crate) struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Gateway) -> Result<u8, CommandError> {
    match &args.command {
        Some(GatewayCommand::Status(output)) => show(&gateway::status()?, output.json),
        Some(GatewayCommand::Stop(output)) => {
            let status = gateway::stop()?;
            if output.json {
                ui::json(&status);
            } else {
                ui::message("stopped the gateway; services keep running\n");
            }
        }
        Some(GatewayCommand::Install) => {
            host::install(|file| ui::message(&format!("wrote {}\n", file.display())))?;
            ui::message("the gateway is running and starts with your session\n");
        }
        Some(GatewayCommand::Uninstall) => {
            let file = host::uninstall()?;
            ui::message(&format!("removed {}\n", file.display()));
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

/// Starts the gateway in the background unless it is running.
fn detach(args: &Gateway) -> Result<(), CommandError> {
    let (status, is_elsewhere) = gateway::start(args.port, args.tls_port)?;
    show(&status, args.json);
    if is_elsewhere {
        ui::warning(
            "the gateway was already running; to apply the preferred port, restart it: run `portway gateway stop`, then `portway gateway --detach`",
        );
    }
    Ok(())
}
