//! `portway ps`: all instances of the machine.

use std::time::Duration;

use clap::Args;
use portway_api::{InstanceState, InstanceStatus, PortStatus, ServiceState, ServiceStatus};
use portway_ports::Facts;
use portway_project::kind::Kind;
use portway_project::wiring;
use portway_registry::{Instance, Lease, Liveness, Registry, SqliteRegistry};
use portway_supervisor::control;
use tokio::time::timeout;

use crate::allocation::exclusions;
use crate::error::CommandError;
use crate::follow::runtime;
use crate::{home, preferences, ui};

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
    let instances = runtime()?.block_on(async {
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
                _ => at_rest(instance, &leases, &facts),
            });
        }
        Ok::<_, CommandError>(instances)
    })?;
    if args.json {
        ui::json(&instances);
    } else if instances.is_empty() {
        ui::talk("there is no instance yet; `portway up` starts one\n");
    } else {
        ui::instances(&instances, portway_supervisor::now());
    }
    Ok(0)
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
        main: None,
        routes: Vec::new(),
        services,
    }
}
