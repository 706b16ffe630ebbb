//! Ports of a running instance whose plan changes: a service that keeps its port is not touched.

use std::collections::{HashMap, HashSet};

use portway_ports::{PortPolicy, Protocol};
use portway_project::{AssignedPorts, Plan, PlannedPort, Wiring};
use portway_registry::{PortRequest, Registry};

use super::required::PortKey;
use super::{
    Allocation, Keep, Scope, assigned, choose, consent, exclusions, record, required, wire,
};
use crate::error::CommandError;
use crate::instance::connection::not_running;
use crate::options::Selection;
use crate::project::{Project, RegisteredProject};

/// The plan and the ports of an instance before the change, and the services that may change.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) ports: &'a AssignedPorts,
    pub(crate) wiring: &'a Wiring,
    /// `None` for all.
    pub(crate) selected: Option<&'a [String]>,
}

impl Before<'_> {
    fn of(&self, service: &str, name: Option<&str>) -> Option<(&PlannedPort, u16)> {
        let planned = &self.plan.services.get(service)?.ports;
        let index = planned
            .iter()
            .position(|port| port.name.as_deref() == name)?;
        Some((&planned[index], *self.ports.of(service).get(index)?))
    }
}

/// Returns whether `.ports.json` contains no other ports than those of the running instance.
pub(crate) fn is_file_unchanged(
    project: &Project,
    before: Before<'_>,
) -> Result<bool, CommandError> {
    let Some(file) = project.ports_file()? else {
        return Ok(true);
    };
    let keys = required::port_keys(project);
    let root = &project.checkout.root;
    let written = file.ports(root, keys.iter().map(|(_, json)| json.as_str()))?;
    Ok(keys.iter().all(|((service, name), json)| {
        let name = Some(name.as_str()).filter(|name| !name.is_empty());
        let before = before.of(service, name).map(|(_, port)| port);
        written
            .get(json)
            .is_none_or(|port| before.is_none_or(|before| *port == before))
    }))
}

/// Returns the port that a service keeps, if it does. `required` is the port that the user requires, and
/// `was_required` the one when the current port was chosen.
fn kept(
    before: Option<(&PlannedPort, u16)>,
    now: &PlannedPort,
    required: Option<u16>,
    was_required: Option<u16>,
) -> Option<u16> {
    let (before, port) = before?;
    let is_kept = before.protocol == now.protocol
        && match required {
            // Another port may have been given in place of the required one.
            Some(required) => required == port || was_required == Some(required),
            None if before.spec == now.spec => true,
            None => {
                now.spec.range.contains(port) && (!now.spec.explicit || now.spec.prefer == port)
            }
        };
    is_kept.then_some(port)
}

/// Returns the requests for all ports of the new plan.
fn wanted(
    registered: &mut RegisteredProject,
    selection: &Selection,
    before: Before<'_>,
) -> Result<(Vec<PortRequest>, PortPolicy), CommandError> {
    let file = registered.project.ports_file()?.cloned();
    let required = required::required_ports(registered, file.as_ref(), selection)?;
    let leases = registered.registry.leases(&registered.instance.id)?;
    let was_required: HashMap<PortKey, u16> = leases
        .into_iter()
        .filter_map(|lease| Some(((lease.service, lease.name), lease.forced_port?)))
        .collect();
    let policy = exclusions::policy(&registered.project.preferences)?;
    let plan = &registered.project.plan;
    let mut wanted = exclusions::wanted(plan, &required, &policy);
    let planned = plan.services.values().flat_map(|service| &service.ports);
    for (wanted, planned) in wanted.iter_mut().zip(planned) {
        let key = (wanted.service.clone(), wanted.name.clone());
        let current = before.of(&wanted.service, planned.name.as_deref());
        let may_change = before
            .selected
            .is_none_or(|selected| selected.contains(&wanted.service));
        wanted.keep = match current {
            Some((_, port)) if !may_change => Some(port),
            current => kept(
                current,
                planned,
                wanted.forced,
                was_required.get(&key).copied(),
            ),
        };
    }
    Ok((wanted, policy))
}

/// Returns the ports that the new plan probably gets: nothing is leased.
pub(crate) fn predict(
    registered: &mut RegisteredProject,
    selection: &Selection,
    before: Before<'_>,
) -> Result<AssignedPorts, CommandError> {
    let (wanted, _) = wanted(registered, selection, before)?;
    let mut ports = AssignedPorts::default();
    for service in registered.project.plan.services.values() {
        let own = wanted.iter().filter(|one| one.service == service.name);
        let own = own.map(|one| one.keep.or(one.forced).unwrap_or(one.preferred));
        ports.0.insert(service.name.clone(), own.collect());
    }
    Ok(ports)
}

/// Leases and holds the ports of the new plan that the instance does not have, and writes `.ports.json`.
/// The caller is the supervisor. If this fails, the leases stay as they were.
pub(crate) fn reallocate(
    registered: &mut RegisteredProject,
    selection: &Selection,
    before: Before<'_>,
) -> Result<Allocation, CommandError> {
    let leases = registered.registry.leases(&registered.instance.id)?;
    let result = try_reallocate(registered, selection, before);
    if result.is_err() {
        let now = portway_supervisor::now();
        let instance = registered.instance.clone();
        // The error that is reported is the first one.
        let _ = registered.registry.restore(&instance, &leases, now);
    }
    result
}

fn try_reallocate(
    registered: &mut RegisteredProject,
    selection: &Selection,
    before: Before<'_>,
) -> Result<Allocation, CommandError> {
    let (wanted, policy) = wanted(registered, selection, before)?;
    let keeps = |port: u16| wanted.iter().any(|one| one.keep == Some(port));
    let reusable: HashSet<(u16, Protocol)> = before
        .plan
        .services
        .values()
        .flat_map(|service| {
            let ports = before.ports.of(&service.name).iter().copied();
            ports.zip(service.ports.iter().map(|port| port.protocol))
        })
        .filter(|(port, _)| !keeps(*port))
        .collect();
    let scope = Scope::Running {
        reusable: &reusable,
    };
    let chosen = choose(registered, wanted, policy, scope, Keep::Hard)?;
    let mut chosen = chosen.ok_or_else(not_running)?;
    consent::check(registered, &chosen)?;
    let ports = assigned(&registered.project, &chosen.given);
    let wiring = wire(&registered.project, &registered.instance, &ports)?;
    if wiring.ports_json != before.wiring.ports_json {
        record::rewrite_ports_file(registered, &wiring)?;
    }
    Ok(Allocation {
        warnings: exclusions::warnings(&chosen.policy, &ports),
        ports,
        wiring,
        holds: std::mem::take(&mut chosen.holds),
        chosen: Some(chosen),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use portway_project::Manifest;

    use super::*;

    fn port(text: &str) -> PlannedPort {
        let text = format!("[services.a]\ncommand = \"a\"\nport = {text}");
        let manifest = Manifest::parse(Path::new("/p/portway.toml"), &text).unwrap();
        let plan = Plan::new(&manifest, &[]).unwrap();
        plan.services["a"].ports[0].clone()
    }

    #[test]
    fn a_port_is_kept_while_the_manifest_admits_it() {
        let range = port("\"9000-9099\"");
        for (now, current, kept_port) in [
            ("\"9000-9099\"", 9003, true),
            ("\"9000-9199\"", 9003, true),
            ("\"9100-9199\"", 9003, false),
            ("{ prefer = 9003, range = \"9000-9099\" }", 9003, true),
            ("{ prefer = 9004, range = \"9000-9099\" }", 9003, false),
            // A port outside of its range was required before.
            ("\"9000-9099\"", 8123, true),
        ] {
            let kept = kept(Some((&range, current)), &port(now), None, None);
            assert_eq!(kept.is_some(), kept_port, "{now}");
        }
        assert_eq!(kept(None, &range, None, None), None);
    }

    #[test]
    fn a_required_port_is_tried_once() {
        let range = port("\"9000-9099\"");
        let keeps = |required, was| kept(Some((&range, 9003)), &range, Some(required), was);
        assert_eq!(keeps(9003, None), Some(9003));
        assert_eq!(keeps(9005, None), None);
        assert_eq!(keeps(9005, Some(9005)), Some(9003));
    }
}
