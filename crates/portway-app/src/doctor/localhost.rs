//! What the name `localhost` means here, and whether services listen where it leads.

use std::net::{IpAddr, ToSocketAddrs};

use portway_api::{Check, Finding};

use super::note::{error, fine};
use super::port_check::Seat;

const NAME: &str = "localhost";

/// What the name means, in the order in which programs try it.
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

/// Judges it, and each service that listens where the name does not lead.
pub(super) fn judge(addresses: &Result<Vec<IpAddr>, String>, seats: &[Seat]) -> Vec<Finding> {
    let repair = "have `/etc/hosts` say `127.0.0.1 localhost` and `::1 localhost`";
    let addresses = match addresses {
        Err(why) => {
            let message =
                format!("means nothing here: {why}; every URL of a service has that name");
            return vec![error(Check::Localhost, NAME, message, repair)];
        }
        Ok(addresses) => addresses,
    };
    if let Some(far) = addresses.iter().find(|address| !address.is_loopback()) {
        let message = format!("means {far}, which is not this machine alone");
        return vec![error(Check::Localhost, NAME, message, repair)];
    }
    let v4 = addresses.iter().any(IpAddr::is_ipv4);
    let v6 = addresses.iter().any(IpAddr::is_ipv6);
    let mut findings: Vec<Finding> = seats
        .iter()
        .filter(|seat| seat.is_own())
        // Programs go on to the next address when nobody listens on the first.
        .filter(|seat| !(v4 && seat.families.v4 || v6 && seat.families.v6))
        .map(|seat| {
            let (listens, leads, host) = if v4 {
                ("::1 (IPv6)", "127.0.0.1 (IPv4)", "127.0.0.1")
            } else {
                ("127.0.0.1 (IPv4)", "::1 (IPv6)", "::1")
            };
            let message = format!(
                "listens on {listens} alone, and `localhost` in its URL leads to {leads} alone"
            );
            let repair = format!("have it listen on {host}, or `localhost` mean both: {repair}");
            error(Check::Localhost, &seat.service, message, repair)
        })
        .collect();
    if findings.is_empty() {
        let words: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        let message = format!("means {}", words.join(", then "));
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
    use crate::inspect::{Of, Sitter};

    fn judged(names: &[&str], v4: bool, v6: bool) -> (Severity, String) {
        let addresses = names.iter().map(|name| name.parse().unwrap()).collect();
        let seat = Seat {
            service: "api".into(),
            port: 9000,
            expected: Expected::Listening,
            forced: None,
            sitters: vec![Sitter {
                who: "x".into(),
                of: Of::Service,
                addresses: vec![],
            }],
            families: Families { v4, v6 },
        };
        let findings = judge(&Ok(addresses), &[seat]);
        (findings[0].severity, findings[0].message.clone())
    }

    #[test]
    fn a_service_must_listen_where_its_url_leads() {
        let (v4, v6, both) = (["127.0.0.1"], ["::1"], ["::1", "127.0.0.1"]);
        assert_eq!(judged(&v4, true, false).0, Severity::Fine);
        assert_eq!(judged(&both, true, false).0, Severity::Fine);
        assert_eq!(judged(&both, false, true).0, Severity::Fine);
        let (severity, words) = judged(&v4, false, true);
        assert_eq!(severity, Severity::Error);
        assert!(words.contains("on ::1 (IPv6) alone"), "{words}");
        let (severity, words) = judged(&v6, true, false);
        assert_eq!(severity, Severity::Error);
        assert!(words.contains("leads to ::1"), "{words}");
    }

    #[test]
    fn the_name_must_mean_this_machine() {
        assert_eq!(judged(&["192.168.1.7"], true, true).0, Severity::Error);
        let nothing = judge(&Err("no such name".into()), &[]);
        assert_eq!(nothing[0].severity, Severity::Error);
        assert!(resolve().is_ok_and(|found| !found.is_empty()));
    }
}
