//! The ports of a service, from its `port` and `ports` keys.

use super::PlannedPort;
use crate::diagnostic::Problem;
use crate::kind::Kind;
use crate::manifest::Service;
use crate::policy::PortProtocol;
use crate::port_spec::PortSpec;

/// The kind of a service.
pub(super) fn kind(name: &str, spec: &Service) -> Kind {
    spec.kind.unwrap_or_else(|| match spec.protocol {
        Some(PortProtocol::Udp) => Kind::Udp,
        _ => Kind::infer(name, spec.command.get_ref()),
    })
}

/// The ports of a service, the main port first. `only_port` is the port of a service without named
/// ports.
pub(super) fn ports(
    name: &str,
    spec: &Service,
    kind: Kind,
    only_port: impl FnOnce() -> Option<PortSpec>,
) -> Result<Vec<PlannedPort>, Problem> {
    if spec.port.is_some() && !spec.ports.is_empty() {
        return Err(Problem::at(
            spec.command.span(),
            format!("`{name}` has both `port` and `ports`"),
        )
        .help("move `port` into `ports`"));
    }
    let planned = |name: Option<String>, port: PortSpec| {
        let default = spec.protocol.map_or(kind.protocol(), Into::into);
        PlannedPort {
            name,
            protocol: port.protocol.unwrap_or(default),
            spec: port,
        }
    };
    if spec.ports.is_empty() {
        let has_unix_probe = spec
            .ready
            .as_ref()
            .is_some_and(|ready| ready.get_ref().unix.is_some());
        // A service with a Unix socket gets no port unless the manifest requests one.
        if has_unix_probe && spec.port.is_none() {
            return Ok(Vec::new());
        }
        let port = only_port().map(|port| planned(None, port));
        return Ok(port.into_iter().collect());
    }
    let mut ports: Vec<PlannedPort> = spec
        .ports
        .iter()
        .map(|(name, port)| planned(Some(name.clone()), port.clone()))
        .collect();
    if let Some(main) = spec.ports.get_index_of("http") {
        ports[..=main].rotate_right(1);
    }
    Ok(ports)
}
