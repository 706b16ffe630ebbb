//! `portway ps`: all instances of the machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use portway_api::{InstanceState, InstanceStatus, PortStatus, ServiceState, ServiceStatus};
use portway_ports::Facts;
use portway_project::kind::Kind;
use portway_project::wiring;
use portway_registry::{Instance, Lease, Liveness, Registry, SqliteRegistry};
use portway_supervisor::control;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::allocation::exclusions;
use crate::error::CommandError;
use crate::follow::runtime;
use crate::{home, preferences, ui};

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
                Liveness::Live => true,
                Liveness::Kept => false,
                Liveness::Gone => return None,
            };
            Some((instance, leases, is_live.then_some(socket)))
        });
    let instances = runtime()?.block_on(async {
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
            instances.push(status.unwrap_or_else(|| at_rest(instance, &leases, &facts)));
        }
        instances
    });
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

/// An instance that does not run, with the ports that are kept for it.
fn at_rest(instance: Instance, leases: &[Lease], facts: &Facts) -> InstanceStatus {
    let mut services: Vec<ServiceStatus> = Vec::new();
    for lease in leases {
        let kind = Kind::infer(&lease.service, "");
        let port = PortStatus {
            name: Some(lease.name.clone()).filter(|name| !name.is_empty()),
            port: lease.port,
            url: wiring::url(kind, lease.port),
            displaced: None,
            warning: facts.exclusion(lease.port).map(|why| why.to_string()),
        };
        match services.iter_mut().find(|one| one.name == lease.service) {
            Some(service) => service.ports.push(port),
            None => services.push(ServiceStatus {
                name: lease.service.clone(),
                state: ServiceState::Stopped,
                url: Some(port.url.clone()),
                ports: vec![port],
                pid: None,
                since: None,
                restarts: 0,
                message: None,
            }),
        }
    }
    InstanceStatus {
        id: instance.id,
        name: instance.name,
        project: instance.project,
        directory: instance.dir.display().to_string(),
        branch: instance.branch,
        state: InstanceState::Stopped,
        pid: None,
        since: None,
        services,
    }
}
