//! Applies excluded ports: to the requests of a plan, and as warnings for ports required by number.

use std::collections::HashMap;

use portway_api::ErrorCode;
use portway_ports::{Exclusion, PortPolicy};
use portway_project::{AssignedPorts, Plan, Preferences};
use portway_registry::PortRequest;

use super::required::PortKey;
use crate::error::CommandError;

/// Returns the excluded ports of the machine and of the user.
pub(crate) fn policy(preferences: &Preferences) -> Result<PortPolicy, CommandError> {
    let mut policy = PortPolicy::read().map_err(|error| {
        CommandError::new(
            ErrorCode::Failed,
            "cannot read the port settings of the system",
        )
        .caused_by(error)
    })?;
    policy.excluded = preferences.never();
    Ok(policy)
}

/// Returns the port requests of a plan. Without an explicit number, the preferred port is the first one of
/// the range that is not excluded.
pub(super) fn wanted(
    plan: &Plan,
    required: &HashMap<PortKey, u16>,
    policy: &PortPolicy,
) -> Vec<PortRequest> {
    let mut wanted = Vec::new();
    for service in plan.services.values() {
        for port in &service.ports {
            let name = port.name.clone().unwrap_or_default();
            let spec = &port.spec;
            let is_allowed = |port: &u16| policy.exclusion(*port).is_none();
            let prefer = if spec.explicit || is_allowed(&spec.prefer) {
                spec.prefer
            } else {
                spec.range.ports().find(is_allowed).unwrap_or(spec.prefer)
            };
            wanted.push(PortRequest {
                forced: required.get(&(service.name.clone(), name.clone())).copied(),
                service: service.name.clone(),
                name,
                protocol: port.protocol,
                preferred: prefer,
                is_explicit: spec.explicit,
                is_called: spec.called_by.is_some(),
                range: spec.range.clone(),
                fallback: service.fallback,
                keep: None,
            });
        }
    }
    wanted
}

/// Returns the warnings for allocated ports that are excluded but were requested by number.
pub(crate) fn warnings(policy: &PortPolicy, ports: &AssignedPorts) -> HashMap<u16, String> {
    let all = ports.0.values().flatten();
    all.filter_map(|&port| Some((port, policy.exclusion(port)?.to_string())))
        .collect()
}

/// Describes why this user cannot bind a free port.
pub(super) fn denied(port: u16, policy: &PortPolicy) -> String {
    match policy.exclusion(port) {
        Some(why @ Exclusion::Privileged(_)) => why.to_string(),
        _ => "this user is not permitted to bind it".to_owned(),
    }
}

/// Adds help on binding a privileged port.
pub(super) fn permit(error: CommandError, port: u16) -> CommandError {
    error
        .hint(format!(
            "run `sudo sysctl net.ipv4.ip_unprivileged_port_start={port}` to permit it for all users until \
             the next boot; add the setting to a file in `/etc/sysctl.d` to keep it"
        ))
        .hint("or use port 1024 or higher")
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

    fn prefer(port: &str, policy: &PortPolicy) -> u16 {
        wanted(&plan(port), &HashMap::new(), policy)[0].preferred
    }

    fn ranges(text: &str) -> Vec<portway_ports::PortRange> {
        text.split(' ')
            .map(|range| range.parse().unwrap())
            .collect()
    }

    /// The policy of macOS.
    fn mac() -> PortPolicy {
        let mut policy = PortPolicy::default();
        policy.ephemeral = Some("49152-65535".parse().unwrap());
        policy.system_services = vec![(5000, "AirPlay Receiver"), (7000, "AirPlay Receiver")];
        policy
    }

    #[test]
    fn prefers_the_first_allowed_port_of_a_range() {
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
    fn keeps_explicit_ports_with_a_warning() {
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
