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
      Stop leftover processes and drop databases
  portway prune --dry-run
      Only show what would be done

A lease is stale if its directory was deleted. A process or container is left over if it belongs \
to a service of an instance that is no longer running. A running instance is never stopped. \
Databases that Portway created for deleted worktrees are only listed without `--yes`; a template is \
never dropped.")]
pub(crate) struct PruneArgs {
    /// Stop leftover processes and drop databases without asking
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
    let mut prune = Prune::start(args.dry_run)?;
    // A question about processes is no consent to drop data.
    if args.yes {
        prune.drop_databases();
    }
    if !args.json {
        ui::pruned(&prune.pruned, args.dry_run);
    }
    for warning in prune.warnings() {
        ui::warning(&warning);
    }
    let pruned = if !prune.has_leftovers() || args.dry_run {
        prune.pruned
    } else if args.yes || ui::is_interactive() && ui::confirm("stop them?") {
        let pruned = prune.stop_leftovers()?;
        if !args.json {
            ui::message("stopped what was left over\n");
        }
        pruned
    } else {
        ui::message("nothing was stopped; run `portway prune --yes` to stop what is left over\n");
        prune.pruned
    };
    if args.json {
        ui::json(&pruned);
    }
    Ok(0)
}
