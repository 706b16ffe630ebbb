//! `portway prune`: remove stale leases and leftover processes.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::prune::Prune;
use portway_app::reporter::Reporter;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway prune              Release stale leases; ask before stopping processes
  portway prune --yes        Stop leftover processes without asking
  portway prune --dry-run    Only show what would be done

A lease is stale if its directory was deleted. A process is left over if it belongs to a service of
an instance that is no longer running. Portway stops an instance whose directory was deleted.")]
pub(crate) struct PruneArgs {
    /// Stop leftover processes without asking
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
    let asked = || ui::is_interactive() && ui::confirm("stop these processes?");
    let pruned = if prune.has_processes() && !args.dry_run && (args.yes || asked()) {
        let pruned = prune.stop_processes(reporter)?;
        if !args.json {
            ui::message("stopped the leftover processes\n");
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
