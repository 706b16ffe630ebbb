//! The network of an isolated instance: whether this machine can create one, and its creation.

use std::sync::Arc;

use portway_api::{IsolationPlan, Obstacle};
use portway_detect::{Detection, FixedPort};
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

/// Requests a network for a worktree of a detected project whose code has a port that nothing can change and that
/// the main checkout uses, too. Only if the preferences leave it open and this machine can create it. A manifest
/// says itself what it wants.
pub(crate) fn choose(
    plan: &mut Plan,
    checkout: &Checkout,
    found: Option<&Detection>,
    preferences: &Preferences,
) {
    let Some(found) = found else {
        return;
    };
    if checkout.is_main() || preferences.isolation(None).is_some() {
        return;
    }
    let Some(reason) = reason(plan, found).filter(|_| capability().is_available()) else {
        return;
    };
    plan.isolated_for = Some(reason);
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

fn is_only(port: &PlannedPort) -> bool {
    port.spec.range.size() == 1
}

/// Returns why a worktree needs a network of its own, as a main clause.
fn reason(plan: &Plan, found: &Detection) -> Option<String> {
    let runs = |name: &str| {
        let service = plan.services.get(name);
        service.is_some_and(|one| !one.on_host && !one.optional)
    };
    let inside = || plan.services.values().filter(|one| runs(&one.name));
    let has_one_port = |service: &&PlannedService| service.ports.iter().any(is_only);
    if let Some(PlannedService { name, .. }) = inside().find(has_one_port) {
        return Some(format!(
            "the port of `{name}` cannot be changed, and the main checkout uses it, too"
        ));
    }
    let mut in_code = found.fixed_ports.iter().filter(|one| runs(&one.service));
    if let Some(FixedPort { service, place, .. }) = in_code.next() {
        return Some(format!(
            "`{service}` uses a port in every checkout ({place})"
        ));
    }
    // The proxy of a development server forwards to the service in the same network.
    let called = plan.services.values().filter(|one| !one.optional);
    let mut called = called.filter_map(|one| {
        let places = one.ports.iter().map(|port| port.spec.called_by.as_deref());
        let place = places
            .flatten()
            .find(|place| portway_detect::configures_proxy(place))?;
        Some((&one.name, place))
    });
    let (name, place) = called.next().filter(|_| inside().next().is_some())?;
    Some(format!(
        "`{place}` forwards to the port of `{name}` in the main checkout"
    ))
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
    Some(IsolationPlan {
        reason: plan.isolated_for.clone(),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use portway_project::Manifest;

    use super::*;

    #[test]
    fn a_worktree_needs_a_network_for_ports_that_nothing_can_change() {
        let only = "[services.api]\ncommand = \"x\"\nport = \"5000-5000\"\n";
        let any = "[services.api]\ncommand = \"x\"\nport = 5000\n";
        let called = |place: &str| {
            format!(
                "[services.api]\ncommand = \"x\"\nport = {{ prefer = 5000, called_by = \"{place}\" }}\n"
            )
        };
        let vite = Detection {
            fixed_ports: vec![FixedPort {
                service: "api".into(),
                place: "server.js:3".into(),
                message: String::new(),
                repair: String::new(),
            }],
            ..Detection::default()
        };
        let none = Detection::default();
        for (text, found, expected) in [
            (only, &none, Some("the port of `api`")),
            (any, &none, None),
            (any, &vite, Some("`api` uses a port in every checkout")),
            (
                &called("web/vite.config.ts:7"),
                &none,
                Some("forwards to the port of `api`"),
            ),
            (
                &called("web/package.json:7"),
                &none,
                Some("forwards to the port of `api`"),
            ),
            // A network does not change what a page calls.
            (&called("web/src/api.ts:7"), &none, None),
            (&format!("{any}isolation = \"none\"\n"), &vite, None),
            (&format!("{only}optional = true\n"), &vite, None),
        ] {
            let manifest = Manifest::parse(Path::new("/p/portway.toml"), text);
            let manifest = manifest.unwrap_or_else(|error| panic!("{error:?} {text}"));
            let plan = Plan::with_all_services(&manifest, &Preferences::default()).unwrap();
            let reason = reason(&plan, found);
            let is_it = match expected {
                Some(expected) => reason.as_ref().is_some_and(|one| one.contains(expected)),
                None => reason.is_none(),
            };
            assert!(is_it, "{text} {reason:?}");
        }
    }
}
