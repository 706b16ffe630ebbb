//! `portway up`: start the services of a checkout.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use clap::builder::PossibleValuesParser;
use portway_app::error::CommandError;
use portway_app::options::UpOptions;
use portway_app::reporter::Reporter;
use portway_app::{instance, preferences};

use super::selection::SelectionArgs;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway up                        everything but optional services
  portway up --with redis           with an optional one; remembered for this checkout
  portway up backend                this one and what it comes after
  portway up --port backend=9005    insist on a port
  portway up --lan                  for a phone: serve on the local network, and announce it there
  portway up --detach --json        for scripts: returns when ready, prints the status")]
pub(crate) struct Up {
    /// Services or groups; all where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Return when everything is ready, and leave it running
    #[arg(short, long)]
    pub(crate) detach: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Serve what speaks HTTP on the local network, for every machine there, and announce it
    #[arg(long)]
    pub(crate) lan: bool,
    /// Serve nothing there, whatever the manifest says
    #[arg(long, conflicts_with = "lan")]
    pub(crate) no_lan: bool,
    /// What to do when a service would not be on the port that was wanted
    #[arg(
        long,
        value_name = "WHAT",
        value_parser = PossibleValuesParser::new(preferences::words("moved"))
    )]
    pub(crate) moved: Option<String>,
    /// Print the status as JSON when everything is ready
    #[arg(long)]
    pub(crate) json: bool,
}

impl Up {
    pub(crate) fn to_options(&self) -> UpOptions {
        UpOptions {
            services: self.services.clone(),
            detach: self.detach,
            selection: self.selection.to_selection(),
            lan: (self.lan || self.no_lan).then_some(self.lan),
            moved: self.moved.clone(),
        }
    }
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: &Up,
    reporter: &Arc<dyn Reporter>,
) -> Result<u8, CommandError> {
    instance::up(directory, &args.to_options(), reporter)?;
    Ok(0)
}

/// The hidden command: the supervisor in the background. The process that started it reads one line
/// or an error as JSON from its standard output.
pub(crate) fn supervise(directory: Option<&Path>, args: &Up) -> Result<u8, CommandError> {
    let announce = || {
        ui::out(&format!("{}\n", instance::SERVING));
    };
    instance::background(directory, &args.to_options(), announce).inspect_err(|error| {
        ui::json(&error.body());
    })?;
    Ok(0)
}
