//! Ports that are not given out: what is wanted in spite of them, what is said about those that a
//! person asked for by number.

use std::collections::HashMap;

use portway_api::ErrorCode;
use portway_ports::{Exclusion, PortPolicy};
use portway_project::{AssignedPorts, Plan, Preferences};
use portway_registry::PortRequest;

use super::wishes::PortKey;
use crate::error::CommandError;

/// What the machine says about its ports now, and the user.
pub(crate) fn facts(preferences: &Preferences) -> Result<PortPolicy, CommandError> {
    let mut facts = PortPolicy::read().map_err(|error| {
        CommandError::new(
            ErrorCode::Failed,
            format!("the system does not tell which ports are free to use: {error}"),
        )
    })?;
    facts.excluded = preferences.never();
    Ok(facts)
}

/// What the plan wants. Where nobody asked for a number, the preferred port is the first of the
/// range that is given out.
pub(super) fn wanted(
    plan: &Plan,
    wishes: &HashMap<PortKey, u16>,
    facts: &PortPolicy,
) -> Vec<PortRequest> {
    let mut wanted = Vec::new();
    for service in plan.services.values() {
        for port in &service.ports {
            let name = port.name.clone().unwrap_or_default();
            let spec = port.spec;
            let given_out = |port: &u16| facts.exclusion(*port).is_none();
            let prefer = if spec.explicit || given_out(&spec.prefer) {
                spec.prefer
            } else {
                spec.range.ports().find(given_out).unwrap_or(spec.prefer)
            };
            wanted.push(PortRequest {
                forced: wishes.get(&(service.name.clone(), name.clone())).copied(),
                service: service.name.clone(),
                name,
                preferred: prefer,
                is_explicit: spec.explicit,
                range: spec.range,
                fallback: service.fallback,
            });
        }
    }
    wanted
}

/// What is to be said about the ports that were given although they are excluded: each was asked
/// for by number.
pub(crate) fn warnings(facts: &PortPolicy, ports: &AssignedPorts) -> HashMap<u16, String> {
    let all = ports.0.values().flatten();
    all.filter_map(|&port| Some((port, facts.exclusion(port)?.to_string())))
        .collect()
}

/// Why a port that is free cannot be bound by this user.
pub(super) fn denied(port: u16, facts: &PortPolicy) -> String {
    match facts.exclusion(port) {
        Some(why @ Exclusion::Privileged(_)) => why.to_string(),
        _ => "the system does not let this user bind it".to_owned(),
    }
}

/// What would let this user bind a privileged port.
pub(super) fn permit(error: CommandError, port: u16) -> CommandError {
    error
        .hint(format!(
            "permit it to everybody until the system starts again: \
             `sudo sysctl net.ipv4.ip_unprivileged_port_start={port}`; for longer, write the same \
             into a file of `/etc/sysctl.d`"
        ))
        .hint("or take another port: most programs do not care, and none below 1024 is needed")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use portway_project::Manifest;

    use super::*;

    fn plan(port: &str) -> Plan {
        let text = format!("[services.web]\ncommand = \"x\"\nport = {port}");
        let manifest = Manifest::parse(Path::new("/p/portway.toml"), &text).unwrap();
        Plan::new(&manifest, &[]).unwrap()
    }

    fn prefer(port: &str, facts: &PortPolicy) -> u16 {
        wanted(&plan(port), &HashMap::new(), facts)[0].preferred
    }

    fn ranges(text: &str) -> Vec<portway_ports::PortRange> {
        text.split(' ')
            .map(|range| range.parse().unwrap())
            .collect()
    }

    /// What a Mac tells.
    fn mac() -> PortPolicy {
        let mut policy = PortPolicy::default();
        policy.ephemeral = Some("49152-65535".parse().unwrap());
        policy.system_services = vec![(5000, "AirPlay Receiver"), (7000, "AirPlay Receiver")];
        policy
    }

    #[test]
    fn a_range_begins_with_its_first_port_that_is_given_out() {
        assert_eq!(prefer("\"5000-5099\"", &mac()), 5001);
        let mut windows = PortPolicy::default();
        windows.reserved = ranges("5357 8000-8099");
        assert_eq!(prefer("\"8000-8199\"", &windows), 8100);
        let mut user = PortPolicy::default();
        user.excluded = ranges("9000-9004");
        assert_eq!(prefer("\"9000-9099\"", &user), 9005);
        assert_eq!(prefer("\"9000-9004\"", &user), 9000);
    }

    #[test]
    fn a_number_that_is_asked_for_stays_and_is_warned_of() {
        assert_eq!(prefer("5000", &mac()), 5000);
        assert_eq!(
            prefer("{ prefer = 7000, range = \"6000-7099\" }", &mac()),
            7000
        );
        assert_eq!(prefer("\"5000\"", &mac()), 5000);
        let mut ports = AssignedPorts::default();
        ports.0.insert("web".into(), vec![5000, 5001]);
        let warnings = warnings(&mac(), &ports);
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[&5000], "AirPlay Receiver uses this port");
    }
}
