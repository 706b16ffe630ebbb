//! `portway prune`: remove stale leases and leftover processes.

use clap::Args;
use portway_app::error::CommandError;
use portway_app::prune::Prune;

use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway prune
      Release stale leases; ask before stopping processes
  portway prune --yes
      Stop leftover processes without asking
  portway prune --dry-run
      Only show what would be done

A lease is stale if its directory was deleted. A process is left over if it belongs to a service of \
an instance that is no longer running. A running instance is never stopped.")]
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

pub(crate) fn run(args: &PruneArgs) -> Result<u8, CommandError> {
    let prune = Prune::start(args.dry_run)?;
    if !args.json {
        ui::pruned(&prune.pruned, args.dry_run);
    }
    let pruned = if !prune.has_processes() || args.dry_run {
        prune.pruned
    } else if args.yes || ui::is_interactive() && ui::confirm("stop these processes?") {
        let pruned = prune.stop_processes()?;
        if !args.json {
            ui::message("stopped the leftover processes\n");
        }
        pruned
    } else {
        ui::message("no processes were stopped; run `portway prune --yes` to stop them\n");
        prune.pruned
    };
    if args.json {
        ui::json(&pruned);
    }
    Ok(0)
}
