//! Checks the addresses of `localhost`, and that services listen on them.

use std::net::{IpAddr, ToSocketAddrs};

use portway_api::{Check, Finding};

use super::finding_builder::{error, fine};
use super::port_check::PortCheck;

const NAME: &str = "localhost";

/// Resolves the name; returns the addresses in the order in which programs try them.
pub(super) fn resolve() -> Result<Vec<IpAddr>, String> {
    let found = (NAME, 0).to_socket_addrs();
    let found = found.map_err(|error| error.to_string())?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    Ok(addresses)
}

/// Evaluates the addresses, and each service that listens on none of them.
pub(super) fn evaluate(
    addresses: &Result<Vec<IpAddr>, String>,
    port_checks: &[PortCheck],
) -> Vec<Finding> {
    let repair = "add `127.0.0.1 localhost` and `::1 localhost` to `/etc/hosts`";
    let addresses = match addresses {
        Err(why) => {
            let message =
                format!("cannot be resolved: {why}; the URLs of all services use this name");
            return vec![error(Check::Localhost, NAME, message, repair)];
        }
        Ok(addresses) => addresses,
    };
    if let Some(far) = addresses.iter().find(|address| !address.is_loopback()) {
        let message = format!("resolves to {far}, which is not a loopback address");
        return vec![error(Check::Localhost, NAME, message, repair)];
    }
    let v4 = addresses.iter().any(IpAddr::is_ipv4);
    let v6 = addresses.iter().any(IpAddr::is_ipv6);
    let mut findings: Vec<Finding> = port_checks
        .iter()
        .filter(|port_check| port_check.is_own())
        // Programs try the next address if the first refuses the connection.
        .filter(|port_check| !(v4 && port_check.families.v4 || v6 && port_check.families.v6))
        .map(|port_check| {
            let (listens, leads, host) = if v4 {
                ("::1 (IPv6)", "127.0.0.1 (IPv4)", "127.0.0.1")
            } else {
                ("127.0.0.1 (IPv4)", "::1 (IPv6)", "::1")
            };
            let message = format!(
                "is listening on {listens} only, but `localhost` in its URL resolves to {leads} only"
            );
            let repair = format!("make it listen on {host}, or {repair}");
            error(Check::Localhost, &port_check.service, message, repair)
        })
        .collect();
    if findings.is_empty() {
        let words: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        let message = format!("resolves to {}", words.join(", then "));
        findings.push(fine(Check::Localhost, NAME, message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use portway_api::Severity;
    use portway_ports::Families;

    use super::super::port_check::Expected;
    use super::*;
    use crate::inspect::{OccupantKind, PortOccupant};

    fn evaluated(names: &[&str], v4: bool, v6: bool) -> (Severity, String) {
        let addresses = names.iter().map(|name| name.parse().unwrap()).collect();
        let port_check = PortCheck {
            service: "api".into(),
            port: 9000,
            expected: Expected::Listening,
            forced: None,
            inner: None,
            occupants: vec![PortOccupant {
                description: "x".into(),
                kind: OccupantKind::Service,
                addresses: vec![],
            }],
            families: Families { v4, v6 },
        };
        let findings = evaluate(&Ok(addresses), &[port_check]);
        (findings[0].severity, findings[0].message.clone())
    }

    #[test]
    fn requires_services_to_listen_on_an_address_of_localhost() {
        let (v4, v6, both) = (["127.0.0.1"], ["::1"], ["::1", "127.0.0.1"]);
        assert_eq!(evaluated(&v4, true, false).0, Severity::Fine);
        assert_eq!(evaluated(&both, true, false).0, Severity::Fine);
        assert_eq!(evaluated(&both, false, true).0, Severity::Fine);
        let (severity, words) = evaluated(&v4, false, true);
        assert_eq!(severity, Severity::Error);
        assert!(words.contains("on ::1 (IPv6) only"), "{words}");
        let (severity, words) = evaluated(&v6, true, false);
        assert_eq!(severity, Severity::Error);
        assert!(words.contains("resolves to ::1"), "{words}");
    }

    #[test]
    fn requires_loopback_addresses() {
        assert_eq!(evaluated(&["192.168.1.7"], true, true).0, Severity::Error);
        let nothing = evaluate(&Err("name not found".into()), &[]);
        assert_eq!(nothing[0].severity, Severity::Error);
        assert!(resolve().is_ok_and(|found| !found.is_empty()));
    }
}
