//! `portway prune`: drop what vanished checkouts have left, and find what killed instances have.

use std::time::Duration;

use clap::Args;
use portway_api::Pruned;
use portway_registry::{CheckoutState, Instance, Registry, SqliteRegistry};
use portway_supervisor::process::{ProcessTree, descendants};

use super::leases::entry;
use crate::ending;
use crate::error::CommandError;
use crate::follow::{self, runtime};
use crate::inspect;
use crate::running::Running;
use crate::{home, ui};

/// How long a leftover may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway prune            drops leases of vanished directories; shows left processes, asks
  portway prune --yes      ends them without asking
  portway prune --dry-run  only shows
A process counts as left when it was started for a service and that instance does not run any more.
An instance that runs in a directory that is gone is stopped.")]
pub(crate) struct Prune {
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

pub(crate) fn run(args: &Prune) -> Result<u8, CommandError> {
    let mut registry = SqliteRegistry::open(&home::state_dir()?)?;
    // Looked for first: whose they are is known as long as the registry knows the instances.
    let left = inspect::leftovers()?;
    let homeless: Vec<Instance> = registry
        .instances()?
        .into_iter()
        .filter(|(instance, _, liveness)| {
            *liveness == CheckoutState::Running && !instance.dir.exists()
        })
        .map(|(instance, ..)| instance)
        .collect();
    let gone = if args.dry_run {
        let all = registry.instances()?.into_iter();
        all.filter(|(.., liveness)| *liveness == CheckoutState::Missing)
            .map(|(instance, leases, _)| (instance, leases))
            .collect()
    } else {
        registry.prune()?
    };
    let mut pruned = Pruned {
        leases: gone
            .iter()
            .flat_map(|(instance, leases)| {
                leases
                    .iter()
                    .map(|lease| entry(instance, lease, CheckoutState::Missing))
            })
            .collect(),
        processes: left.iter().map(|(_, leftover)| leftover.clone()).collect(),
        running: homeless
            .iter()
            .map(|instance| instance.dir.display().to_string())
            .collect(),
        ended: false,
    };
    if !args.json {
        ui::pruned(&pruned, args.dry_run);
    }
    let any = !left.is_empty() || !homeless.is_empty();
    let asked = || ui::is_interactive() && ui::ask("end these processes?");
    if any && !args.dry_run && (args.yes || asked()) {
        let trees: Vec<ProcessTree> = left
            .into_iter()
            .map(|(process, _)| ProcessTree {
                descendants: descendants(process.id.pid),
                root: process,
                started_by: Vec::new(),
            })
            .collect();
        ending::end(&trees, GRACE)?;
        for instance in homeless {
            let registry = SqliteRegistry::open(&home::state_dir()?)?;
            let mut running = Running::of(registry, instance);
            runtime()?.block_on(follow::stop(&mut running, false))?;
        }
        // What it had leased is nobody's now.
        for (instance, leases) in registry.prune()? {
            let dropped = leases
                .iter()
                .map(|lease| entry(&instance, lease, CheckoutState::Missing));
            pruned.leases.extend(dropped);
        }
        pruned.ended = true;
        if !args.json {
            ui::talk("they are ended\n");
        }
    }
    if args.json {
        ui::json(&pruned);
    }
    Ok(0)
}
