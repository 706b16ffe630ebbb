//! `portway dashboard`: open the dashboard in the browser.

use std::io::IsTerminal;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::{browser, gateway};

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway dashboard
      Open the dashboard in the browser
  portway dashboard --print
      Print its URL instead

The gateway serves the dashboard. If the gateway is not running, Portway starts it in the \
background.")]
pub(crate) struct Dashboard {
    /// Print the URL instead of opening it; starts the gateway if it is not running
    #[arg(long)]
    pub(crate) print: bool,
}

pub(crate) fn run(args: &Dashboard) -> Result<u8, CommandError> {
    let was_running = gateway::status().is_ok();
    let url = gateway::dashboard_url()?;
    if !was_running {
        ui::message("started the gateway; run `portway gateway stop` to stop it\n");
    }
    ui::exact(&format!("{url}\n"));
    let is_watched = std::io::stdout().is_terminal() && ui::is_interactive();
    if !args.print && is_watched {
        browser::open(&url);
    }
    Ok(0)
}
