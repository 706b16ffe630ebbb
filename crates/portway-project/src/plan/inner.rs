//! The ports of services in a network of the instance's own.

use std::collections::HashSet;

use super::{Plan, PlannedPort};
use crate::wiring::AssignedPorts;

impl Plan {
    /// The port that each service uses inside the network of an isolated instance, in the order of
    /// [`PlannedService::ports`](super::PlannedService::ports). It is the usual port, which the project's
    /// own files name, or another one of its range if two services have the same usual port.
    pub fn inner_ports(&self) -> AssignedPorts {
        let mut used = HashSet::new();
        let mut inner = AssignedPorts::default();
        // A port that somebody chose for one service is never given to another one as a substitute.
        let usual: HashSet<_> = self
            .services
            .values()
            .flat_map(|service| &service.ports)
            .map(|port| (port.protocol, usual_port(port)))
            .collect();
        for service in self.services.values() {
            let mut own = Vec::new();
            for port in &service.ports {
                let wanted = usual_port(port);
                let range = port.spec.range.ports();
                let others = range.filter(|&other| !usual.contains(&(port.protocol, other)));
                let number = std::iter::once(wanted)
                    .chain(others)
                    .find(|&number| !used.contains(&(port.protocol, number)))
                    // Two services that accept one port only cannot run in one network.
                    .unwrap_or(wanted);
                used.insert((port.protocol, number));
                own.push(number);
            }
            inner.0.insert(service.name.clone(), own);
        }
        inner
    }
}

fn usual_port(port: &PlannedPort) -> u16 {
    port.spec.usual.unwrap_or(port.spec.prefer)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Manifest, Plan, Preferences};

    fn inner(text: &str) -> Vec<(String, Vec<u16>)> {
        let manifest = Manifest::parse(Path::new("portway.toml"), text).unwrap();
        let plan = Plan::with_preferences(&manifest, &[], &Preferences::default()).unwrap();
        plan.inner_ports().0.into_iter().collect()
    }

    fn expected(ports: &[(&str, &[u16])]) -> Vec<(String, Vec<u16>)> {
        let own = ports
            .iter()
            .map(|(name, ports)| ((*name).into(), ports.to_vec()));
        own.collect()
    }

    #[test]
    fn are_the_usual_ports() {
        assert_eq!(
            inner(
                "[services.api]\ncommand = 'api'\nport = { range = '9000-9099', usual = 8000 }\n\
                 [services.web]\ncommand = 'web'\nport = 5173\n\
                 [services.jobs]\ncommand = 'jobs'\nkind = 'tcp'"
            ),
            expected(&[("api", &[8000]), ("web", &[5173]), ("jobs", &[])])
        );
    }

    #[test]
    fn are_different_for_services_with_the_same_usual_port() {
        assert_eq!(
            inner(
                "[services.shop]\ncommand = 'shop'\nport = 3000\n\
                 [services.admin]\ncommand = 'admin'\nport = 3000\n\
                 [services.docs]\ncommand = 'docs'\nport = 3001\n\
                 [services.one.ports]\nhttp = 8080\ndns = { prefer = 3000, protocol = 'udp' }\n\
                 [services.one]\ncommand = 'one'"
            ),
            expected(&[
                ("shop", &[3000]),
                ("admin", &[3002]),
                ("docs", &[3001]),
                ("one", &[8080, 3000]),
            ])
        );
    }
}
