//! Leases and holds ports in one step.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use portway_api::GatewayPorts;
use portway_ports::{Hold, HoldError, PortPolicy, Protocol};
use portway_registry::{AllocateError, AllocatedPort, AllocationRequest, PortRequest, Registry};

use super::{Keep, explain, hold};
use crate::error::CommandError;
use crate::gateway::state;
use crate::instance::connection::Supervised;
use crate::instance::remnants::{self, Mode};
use crate::project::RegisteredProject;

/// Chosen ports and the values that the choice used.
pub(super) struct Chosen {
    pub(super) given: Vec<AllocatedPort>,
    /// The retained holds.
    pub(super) holds: Vec<Arc<Hold>>,
    pub(super) policy: PortPolicy,
    /// The gateway's ports.
    pub(super) gateway: Option<GatewayPorts>,
    /// Ports that this user is not permitted to bind.
    pub(super) denied: HashSet<u16>,
}

/// Which ports are chosen.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    /// All ports of the plan.
    All,
    /// One port in place of the lost one.
    Replacement { lost: u16 },
    /// One more port.
    Addition,
    /// All ports of a plan that replaces the one that runs. The instance holds the `reusable` ports, and
    /// their services stop.
    Running {
        reusable: &'a HashSet<(u16, Protocol)>,
    },
}

/// Leases and holds ports in one step, under the registry's lock.
pub(super) fn choose(
    registered: &mut RegisteredProject,
    wanted: Vec<PortRequest>,
    policy: PortPolicy,
    scope: Scope<'_>,
    keep: Keep,
) -> Result<Option<Chosen>, CommandError> {
    let lost = match scope {
        Scope::Replacement { lost } => Some(lost),
        _ => None,
    };
    let id = registered.instance.id.clone();
    let dir = registered.dir();
    // Only at the start: later, services are running.
    if keep == Keep::Hard && matches!(scope, Scope::All) {
        wait_for_remnants(&dir);
    }
    let gateway = state::last_ports()?;
    let fixed = gateway.as_ref().map_or(&[][..], |gateway| &gateway.fixed);
    let mut holds: HashMap<u16, Hold> = HashMap::new();
    let mut denied = HashSet::new();
    let mut hold = |port: u16, protocol: Protocol, own: bool| {
        if Some(port) == lost {
            return Ok(false);
        }
        if let Scope::Running { reusable } = scope
            && reusable.contains(&(port, protocol))
        {
            return Ok(true);
        }
        let held = if own {
            hold::acquire_again(port, protocol, &dir)
        } else {
            Hold::acquire_for(port, protocol)
        };
        // The state is set here, inside the lock, so that a hold of one command never excludes
        // another command of the same checkout.
        let held = held.and_then(|held| {
            match keep {
                Keep::No => return Ok(None),
                Keep::Soft => held.soften()?,
                Keep::Hard => held.harden()?,
            }
            Ok(Some(held))
        });
        match held {
            Ok(held) => {
                holds.extend(held.map(|held| (port, held)));
                Ok(true)
            }
            Err(error @ HoldError::System { .. }) => Err(error.into()),
            Err(HoldError::Denied(port)) => {
                denied.insert(port);
                Ok(false)
            }
            Err(error) => {
                tracing::debug!(port, %error, "cannot hold");
                Ok(false)
            }
        }
    };
    let request = AllocationRequest {
        instance: &id,
        is_main: registered.instance.is_main,
        ports: wanted,
        is_excluded: &|port| {
            Some(port) == lost || fixed.contains(&port) || policy.exclusion(port).is_some()
        },
        is_of_other_user: &portway_ports::is_used_by_other_user,
        is_complete: matches!(scope, Scope::All | Scope::Running { .. }),
        by_supervisor: keep == Keep::Hard,
    };
    let given = registered
        .registry
        .allocate(&request, &mut hold, portway_supervisor::now());
    let given = match given {
        Ok(given) => given,
        Err(AllocateError::Running) => return Ok(None),
        Err(AllocateError::Registry(error)) => return Err(error.into()),
        Err(AllocateError::Choose(error)) => {
            return Err(explain::refused(registered, &error, &policy, &denied));
        }
    };
    for one in &given {
        tracing::debug!(service = one.service, port = one.port, "leased");
    }
    let holds = given
        .iter()
        .filter_map(|one| holds.remove(&one.port))
        .map(Arc::new)
        .collect();
    Ok(Some(Chosen {
        given,
        holds,
        policy,
        gateway,
        denied,
    }))
}

/// Waits until the services of a killed supervisor have stopped, and kills what killed keepers left. The
/// caller is the supervisor. `portway up` has waited already, and said so, unless one was killed since.
fn wait_for_remnants(dir: &Path) {
    remnants::settle(dir, Mode::Start, None, || false);
}
