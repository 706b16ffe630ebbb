//! What differs between the project that runs and the project as its files describe it now.
//!
//! Input: two plans with their ports and wirings. Output: the services that must restart, each with the
//! reasons. Pure functions.

use indexmap::IndexMap;

use crate::kind::Kind;
use crate::plan::{Plan, PlannedService};
use crate::wiring::{AssignedPorts, CORS_ORIGINS, Launch, Wiring};

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Wired<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The ports of its services.
    pub ports: &'a AssignedPorts,
    /// The wiring with these ports.
    pub wiring: &'a Wiring,
}

/// Returns the plan `new`, in which only the `selected` services change: the others stay as they are in
/// `old`, also those that `new` no longer has. New services that are not selected are in it, too.
pub fn restrict(old: &Plan, new: Plan, selected: &[String]) -> Plan {
    let mut plan = new;
    for (name, service) in &old.services {
        if !selected.contains(name) {
            plan.services.insert(name.clone(), service.clone());
            plan.disabled.retain(|disabled| disabled != name);
        }
    }
    plan
}

/// Returns the services of both plans that must restart, in the order of `new`, each with the reasons.
/// Of the services that are not `selected`, only those whose variables contain a port that moved.
pub fn restarts(
    old: Wired<'_>,
    new: Wired<'_>,
    selected: Option<&[String]>,
) -> IndexMap<String, Vec<String>> {
    let moved = moved_variables(old, new);
    let mut restarts = IndexMap::new();
    for (name, service) in &new.plan.services {
        let Some(before) = old.plan.services.get(name) else {
            continue;
        };
        let reasons = if selected.is_none_or(|selected| selected.contains(name)) {
            reasons(old, new, before, service)
        } else if moved.is_empty() {
            Vec::new()
        } else {
            vec![format!("environment: {}", moved.join(", "))]
        };
        if !reasons.is_empty() {
            restarts.insert(name.clone(), reasons);
        }
    }
    restarts
}

/// Returns the shared variables of services in both plans whose values differ.
fn moved_variables(old: Wired<'_>, new: Wired<'_>) -> Vec<String> {
    let shared = new.wiring.shared.iter();
    let moved = shared.filter(|(name, value)| {
        let before = old.wiring.shared.get(*name);
        *name != CORS_ORIGINS && before.is_some_and(|before| before != *value)
    });
    moved.map(|(name, _)| name.clone()).collect()
}

/// Returns why a service must restart; nothing if it need not.
fn reasons(
    old: Wired<'_>,
    new: Wired<'_>,
    before: &PlannedService,
    after: &PlannedService,
) -> Vec<String> {
    let name = &after.name;
    let mut reasons = Vec::new();
    let mut check = |reason: &str, differs: bool| {
        if differs {
            reasons.push(reason.to_owned());
        }
    };
    let launches = old.wiring.services.get(name);
    let launches = launches.zip(new.wiring.services.get(name));
    let is_changed = |differs: fn(&Launch, &Launch) -> bool| {
        launches.is_none_or(|(before, after)| differs(before, after))
    };
    check("command", is_changed(|a, b| a.command != b.command));
    check("directory", is_changed(|a, b| a.dir != b.dir));
    let ports = |wired: Wired<'_>, service: &PlannedService| -> Vec<_> {
        let numbers = wired.ports.of(name).iter().copied();
        let planned = service.ports.iter().map(|port| port.protocol);
        numbers.zip(planned).collect()
    };
    check("ports", ports(old, before) != ports(new, after));
    check("kind", before.kind != after.kind);
    check("prepare step", is_changed(|a, b| a.prepare != b.prepare));
    check(
        "readiness",
        before.readiness != after.readiness
            || is_changed(|a, b| a.readiness_command != b.readiness_command),
    );
    check(
        "liveness",
        before.liveness != after.liveness
            || is_changed(|a, b| a.liveness_command != b.liveness_command),
    );
    check("stop policy", before.stop != after.stop);
    check("terminal", before.tty != after.tty);
    check(
        "socket",
        (before.socket, before.owner) != (after.socket, after.owner),
    );
    if let Some((before, launch)) = launches {
        let variables = variables(old.wiring, new.wiring, before, launch, after.kind);
        if !variables.is_empty() {
            reasons.push(format!("environment: {}", variables.join(", ")));
        }
    }
    reasons
}

/// Returns the variables of a service that differ. A variable about a service that was added or removed
/// does not count unless the service itself uses it, and neither does an origin that was removed.
fn variables(
    old: &Wiring,
    new: &Wiring,
    before: &Launch,
    after: &Launch,
    kind: Kind,
) -> Vec<String> {
    // A variable that only one of the two wirings shares is about a service that the other lacks.
    let is_about_other = |name: &String, own: &Launch, own_shared: &Wiring, other: &Wiring| {
        let shared = own_shared.shared.get(name);
        shared.is_some() && shared == own.env.get(name) && !other.shared.contains_key(name)
    };
    let mut names: Vec<String> = Vec::new();
    for (name, value) in &after.env {
        let differs = match before.env.get(name) {
            Some(before) if name == CORS_ORIGINS => {
                kind != Kind::Frontend && gains_origin(before, value)
            }
            Some(before) => before != value,
            None => !is_about_other(name, after, new, old),
        };
        if differs {
            names.push(name.clone());
        }
    }
    for name in before.env.keys() {
        if !after.env.contains_key(name) && !is_about_other(name, before, old, new) {
            names.push(name.clone());
        }
    }
    names
}

fn gains_origin(before: &str, after: &str) -> bool {
    let before: Vec<&str> = before.split(',').collect();
    after.split(',').any(|origin| !before.contains(&origin))
}

#[cfg(test)]
mod tests;
