//! `portway ps`: all instances of the machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use portway_api::InstanceStatus;
use portway_registry::{CheckoutState, Registry, SqliteRegistry};
use portway_supervisor::control;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::allocation::exclusions;
use crate::error::CommandError;
use crate::follow::runtime;
use crate::{gateway, home, look, preferences, ui};

/// A supervisor that does not answer within this time is shown without its services' states.
const ANSWER: Duration = Duration::from_secs(2);

/// How many supervisors are asked at the same time: a few that hang shall not hold up the others,
/// and hundreds shall not wait for one another while the time of each runs.
const AT_ONCE: usize = 16;

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
    let asked = known
        .into_iter()
        .filter_map(|(instance, leases, liveness)| {
            let socket = registry.instance_dir(&instance.id).join(control::SOCKET);
            let is_live = match liveness {
                CheckoutState::Running => true,
                CheckoutState::Stopped => false,
                CheckoutState::Missing => return None,
            };
            Some((instance, leases, is_live.then_some(socket)))
        });
    let mut instances = runtime()?.block_on(async {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let asked: Vec<_> = asked
            .map(|(instance, leases, socket)| {
                (
                    instance,
                    leases,
                    socket.map(|socket| tokio::spawn(ask(socket, turns.clone()))),
                )
            })
            .collect();
        let mut instances = Vec::with_capacity(asked.len());
        for (instance, leases, answer) in asked {
            let status = match answer {
                Some(answer) => answer.await.ok().flatten(),
                None => None,
            };
            instances.push(status.unwrap_or_else(|| look::at_rest(instance, &leases, &facts)));
        }
        instances
    });
    if let Some(gateway) = gateway::status()? {
        portway_gateway::fill_gateway_fields(&mut instances, &gateway);
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

/// What the supervisor at this socket says, if it answers in time.
async fn ask(socket: PathBuf, turns: Arc<Semaphore>) -> Option<InstanceStatus> {
    let _turn = turns.acquire().await.ok()?;
    let client = control::Client::new(&socket);
    timeout(ANSWER, client.status()).await.ok()?.ok()
}
