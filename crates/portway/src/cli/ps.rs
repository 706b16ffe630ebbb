//! `portway ps`: all instances of the machine.

use std::time::Duration;

use clap::Args;
use portway_registry::{Liveness, Registry, SqliteRegistry};
use portway_supervisor::control;
use tokio::time::timeout;

use crate::allocation::exclusions;
use crate::error::CommandError;
use crate::follow::runtime;
use crate::{gateway, home, look, preferences, ui};

/// A supervisor that does not answer within this time is shown without its services' states.
const ANSWER: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway ps                               every instance of this machine
  portway ps --json | jq '.[].services'    for programs")]
pub(crate) struct Ps {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Ps) -> Result<u8, CommandError> {
    // That they are broken has been said.
    let preferences = preferences::of_user().unwrap_or_default();
    let facts = exclusions::facts(&preferences)?;
    let mut registry = SqliteRegistry::open(&home::state_dir()?)?;
    let known = registry.instances()?;
    let mut instances = runtime()?.block_on(async {
        let mut instances = Vec::new();
        for (instance, leases, liveness) in known {
            let socket = registry.instance_dir(&instance.id).join(control::SOCKET);
            let client = control::Client::new(&socket);
            let live = match liveness {
                Liveness::Live => timeout(ANSWER, client.status()).await.ok(),
                Liveness::Kept => None,
                Liveness::Gone => continue,
            };
            instances.push(match live {
                Some(Ok(status)) => status,
                _ => look::at_rest(instance, &leases, &facts),
            });
        }
        Ok::<_, CommandError>(instances)
    })?;
    if let Some(gateway) = gateway::status()? {
        portway_gateway::tell(&mut instances, &gateway);
    }
    if args.json {
        ui::json(&instances);
    } else if instances.is_empty() {
        ui::talk("there is no instance yet; `portway up` starts one\n");
    } else {
        ui::instances(&instances, portway_supervisor::now());
    }
    Ok(0)
}
