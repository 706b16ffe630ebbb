//! `portway leases`: every lease with its state and directory.

use clap::Args;
use portway_api::LeaseEntry;
use portway_registry::{CheckoutState, Instance, Lease, Registry, SqliteRegistry};

use crate::error::CommandError;
use crate::inspect::port_lease;
use crate::{home, ui};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway leases           live: runs; kept: does not run; gone: its directory is no more
  portway forget 9001      gives one up
  portway prune            drops those that are gone")]
pub(crate) struct Leases {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Leases) -> Result<u8, CommandError> {
    let mut registry = SqliteRegistry::open(&home::state_dir()?)?;
    let mut entries: Vec<LeaseEntry> = registry
        .instances()?
        .iter()
        .flat_map(|(instance, leases, liveness)| {
            leases.iter().map(|lease| entry(instance, lease, *liveness))
        })
        .collect();
    entries.sort_by_key(|entry| entry.port);
    if args.json {
        ui::json(&entries);
    } else if entries.is_empty() {
        ui::talk("there is no lease yet; `portway detect` and `portway up` make them\n");
    } else {
        ui::leases(&entries, portway_supervisor::now());
    }
    Ok(0)
}

/// A lease as it is listed.
pub(crate) fn entry(instance: &Instance, lease: &Lease, liveness: CheckoutState) -> LeaseEntry {
    LeaseEntry {
        port: lease.port,
        lease: port_lease(instance, lease, liveness),
        forced: lease.forced_port.filter(|wish| *wish != lease.port),
    }
}
