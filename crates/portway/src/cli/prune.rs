//! `portway prune`: remove what deleted checkouts and killed instances have left.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::prune::Prune;
use portway_app::reporter::Reporter;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway prune            drops leases of vanished directories; shows left processes, asks
  portway prune --yes      ends them without asking
  portway prune --dry-run  only shows
A process counts as left when it was started for a service and that instance does not run any more.
An instance that runs in a directory that is gone is stopped.")]
pub(crate) struct PruneArgs {
    /// End processes that were left, without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Only show what would be done
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &PruneArgs, reporter: &dyn Reporter) -> Result<u8, CommandError> {
    let prune = Prune::start(args.dry_run)?;
    if !args.json {
        ui::pruned(&prune.pruned, args.dry_run);
    }
    let asked = || ui::is_interactive() && ui::ask("end these processes?");
    let pruned = if prune.has_processes() && !args.dry_run && (args.yes || asked()) {
        let pruned = prune.stop_processes(reporter)?;
        if !args.json {
            ui::talk("they are ended\n");
        }
        pruned
    } else {
        prune.pruned
    };
    if args.json {
        ui::json(&pruned);
    }
    Ok(0)
}
