//! `portway dashboard`: open the page that shows every instance of this machine.

use std::io::IsTerminal;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::{browser, gateway};

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway dashboard            opens the dashboard in the browser
  portway dashboard --print    only prints where it is
The gateway serves it, and is started in the background where it does not run yet.")]
pub(crate) struct Dashboard {
    /// Only print the URL
    #[arg(long)]
    pub(crate) print: bool,
}

pub(crate) fn run(args: &Dashboard) -> Result<u8, CommandError> {
    let url = gateway::dashboard_url()?;
    ui::out(&format!("{url}\n"));
    let is_watched = std::io::stdout().is_terminal() && ui::is_interactive();
    if !args.print && is_watched {
        browser::open(&url);
    }
    Ok(0)
}
