//! The network of an isolated instance: whether this machine can create one, and its creation.

use std::sync::Arc;

use portway_api::{IsolationPlan, Obstacle};
use portway_isolation::{Namespace, Network, NetworkConfig, Outbound, capability};
use portway_project::checkout::Checkout;
use portway_project::plan::identifier;
use portway_project::plan::{PlannedPort, PlannedService};
use portway_project::policy::Isolation;
use portway_project::port_spec::PortSpec;
use portway_project::{Plan, Preferences};
use portway_supervisor::InstanceNetwork;

use crate::reporter::Reporter;

/// A port that a service has opened in the network of its instance, in addition to those of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObservedPort {
    /// The service.
    pub(crate) service: String,
    /// The number inside.
    pub(crate) inner: u16,
    /// The port outside.
    pub(crate) port: u16,
}

impl ObservedPort {
    /// Adds it to the keys of `.ports.json`: as the port of a service that has no other one, or else with
    /// its number inside.
    pub(crate) fn add_to(&self, keys: &mut serde_json::Map<String, serde_json::Value>) {
        let service = identifier(&self.service);
        let main = format!("{service}_port");
        let key = match keys.contains_key(&main) {
            true => format!("{service}_{}_port", self.inner),
            false => main,
        };
        keys.insert(key, self.port.into());
    }
}

/// Requests a network for a worktree in which a detected service has only one port, which the main checkout uses,
/// too: without one, they cannot run at the same time. Only if the preferences leave it open and this machine
/// can create it. A manifest says itself what it wants.
pub(crate) fn choose(plan: &mut Plan, checkout: &Checkout, preferences: &Preferences) {
    if checkout.is_main() || preferences.isolation(None).is_some() {
        return;
    }
    let is_only = |port: &PlannedPort| port.spec.range.size() == 1;
    let has_one_port =
        |service: &&PlannedService| !service.on_host && service.ports.iter().any(is_only);
    let mut services = plan.services.values().filter(|one| !one.optional);
    let Some(fixed) = services.find(has_one_port).map(|one| one.name.clone()) else {
        return;
    };
    if !capability().is_available() {
        return;
    }
    plan.isolated_for = Some(fixed);
    plan.isolation = Isolation::Network;
    // Outside, it may have any port.
    let services = plan.services.values_mut().filter(|one| !one.on_host);
    for port in services.flat_map(|service| &mut service.ports) {
        if is_only(port)
            && let Some(spec) = PortSpec::from_port(port.spec.prefer)
        {
            port.spec.range = spec.range;
        }
    }
}

/// Returns whether this machine can create the network that a plan requests; `None` if it requests none.
pub(crate) fn plan(plan: &Plan) -> Option<IsolationPlan> {
    if plan.isolation != Isolation::Network {
        return None;
    }
    let obstacles = capability().obstacles.into_iter().map(|obstacle| Obstacle {
        cause: obstacle.cause,
        help: obstacle.help,
    });
    let reason = plan.isolated_for.as_ref().map(|service| {
        format!("the port of `{service}` cannot be changed, and the main checkout uses it, too")
    });
    Some(IsolationPlan {
        reason,
        obstacles: obstacles.collect(),
    })
}

/// Reports why this machine cannot create the network that a plan requests.
pub(crate) fn report(requested: &Plan, reporter: &dyn Reporter) {
    let obstacles = plan(requested).map(|plan| plan.obstacles);
    for Obstacle { cause, help } in obstacles.unwrap_or_default() {
        reporter.warning(&format!(
            "this checkout gets no network of its own: {cause} (help: {help})"
        ));
    }
}

/// Enters the network of another instance, in which the process `pid` runs.
pub(crate) fn join(plan: &Plan, pid: u32) -> Option<InstanceNetwork> {
    let joined = Namespace::of_process(pid)
        .map_err(|error| error.to_string())
        .and_then(|namespace| {
            let namespace = namespace.ok_or("it is the network of this process")?;
            let network = Network::join(config(None)?, &namespace);
            network.map_err(|error| error.to_string())
        });
    match joined {
        Ok(network) => Some(InstanceNetwork {
            network,
            ports: plan.inner_ports(),
            is_shared: true,
        }),
        Err(error) => {
            tracing::warn!(error, "cannot enter the network of the running instance");
            None
        }
    }
}

fn config(outbound: Option<Outbound>) -> Result<NetworkConfig, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut config = NetworkConfig::new(own, outbound);
    config.spawn = Arc::new(portway_supervisor::spawn_own);
    Ok(config)
}

/// Creates the network that a plan requests. Without one, everything works on the ports of the machine.
pub(crate) fn create(plan: &Plan) -> Option<InstanceNetwork> {
    if plan.isolation != Isolation::Network {
        return None;
    }
    let capability = capability();
    if !capability.is_available() {
        return None;
    }
    let created = config(capability.outbound)
        .and_then(|config| Network::create(config).map_err(|error| error.to_string()));
    match created {
        Ok(network) => Some(InstanceNetwork {
            network,
            ports: plan.inner_ports(),
            is_shared: false,
        }),
        Err(error) => {
            tracing::warn!(error, "no network for this instance");
            None
        }
    }
}
