//! `portway up`: start the services of a checkout.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use portway_app::error::CommandError;
use portway_app::options::UpOptions;
use portway_app::reporter::Reporter;
use portway_app::{instance, preferences};
use portway_project::policy::LanAccess;
use portway_project::preferences::former_name;

use super::candidates;
use super::selection::SelectionArgs;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway up
      Start all enabled services
  portway up --with redis
      Enable an optional service as well
  portway up backend
      Start one service and those that it depends on
  portway up --port backend=9005
      Require a port for a service
  portway up --dry-run
      Show what would start, restart or stop
  portway up --lan
      Serve on the local network as well, for example for a phone
  portway up --detach --json
      Start in the background and print the status for a script")]
pub(crate) struct Up {
    /// Services or groups to start [default: all that are enabled]
    #[arg(value_name = "SERVICE", add = candidates::services_and_groups())]
    pub(crate) services: Vec<String>,
    /// Run in the background and return when all services are ready
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Run the prepare steps even if they are up to date
    #[arg(long)]
    pub(crate) prepare: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Serve HTTP services on the local network and announce them by mDNS
    #[arg(long)]
    pub(crate) lan: bool,
    /// Do not serve on the local network, even if the manifest enables it
    #[arg(long, conflicts_with = "lan")]
    pub(crate) no_lan: bool,
    /// Give this checkout a network of its own, in which each service uses its usual port (Linux)
    #[arg(long)]
    pub(crate) isolate: bool,
    /// Stop all services when one fails, instead of keeping the others running
    #[arg(long)]
    pub(crate) abort_on_failure: bool,
    /// What to do if a service cannot use its preferred or forced port [default: continue]
    #[arg(
        long,
        value_name = "WHAT",
        value_parser = moved_values()
    )]
    pub(crate) moved: Option<String>,
    /// Show what would start, restart or stop, without doing it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the status as JSON when all services are ready
    #[arg(long)]
    pub(crate) json: bool,
}

/// The values of `--moved`, with those that they had before.
fn moved_values() -> PossibleValuesParser {
    let values = preferences::choices("moved").into_iter();
    let values = values.map(|word| PossibleValue::new(word).aliases(former_name(word)));
    PossibleValuesParser::new(values.collect::<Vec<_>>())
}

impl Up {
    pub(crate) fn to_options(&self) -> UpOptions {
        UpOptions {
            services: self.services.clone(),
            detach: self.detach,
            selection: self.selection.to_selection(),
            lan: match (self.lan, self.no_lan) {
                (true, _) => LanAccess::Enabled,
                (_, true) => LanAccess::Disabled,
                _ => LanAccess::Unspecified,
            },
            abort_on_failure: self.abort_on_failure,
            prepare: self.prepare,
            isolate: self.isolate,
            enters: None,
            moved: self.moved.clone(),
        }
    }
}

pub(crate) fn run(
    directory: Option<&Path>,
    args: &Up,
    reporter: &Arc<dyn Reporter>,
) -> Result<u8, CommandError> {
    if args.dry_run {
        let plan = instance::dry_run(directory, &args.to_options())?;
        if args.json {
            ui::json(&plan);
        } else {
            ui::changes::planned(&plan);
        }
        return Ok(0);
    }
    instance::up(directory, &args.to_options(), reporter)?;
    Ok(0)
}

/// The hidden command: the supervisor in the background. The process that started it reads one line
/// or an error as JSON from its standard output.
pub(crate) fn supervise(directory: Option<&Path>, args: &Up) -> Result<u8, CommandError> {
    let announce = || {
        ui::exact(&format!("{}\n", instance::SERVING));
    };
    instance::background(directory, &args.to_options(), announce).inspect_err(|error| {
        ui::json(&error.body());
    })?;
    Ok(0)
}
